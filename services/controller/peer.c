// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/peer.h"

bool peer_own_refusal(const char *service, struct err *err)
{
    if (err->code != STATUS_UNAUTHENTICATED && err->code != STATUS_DENIED)
        return false;
    (void)err_set(
        err, STATUS_INTERNAL,
        "the %s service does not accept the controller: %s (an operator must give besom-controller and "
        "besom-%s the same --service-token-file)",
        service, err->text, service);
    return true;
}
