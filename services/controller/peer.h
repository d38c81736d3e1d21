/*
 * What users are told of the services that the controller asks for them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_PEER_H
#define BESOM_CONTROLLER_PEER_H

#include "base/err.h"

/* A service ("suggestion") that refuses the controller's own token says so as if the caller's were wrong:
 * that becomes INTERNAL, with the service's name and what an operator has to do. Other errors stay as they
 * are. True: it was that. */
bool peer_own_refusal(const char *service, struct err *err);

#endif
