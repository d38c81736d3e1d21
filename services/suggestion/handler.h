/*
 * besom.v1.SuggestionService on top of the methods: decodes a request, holds
 * the sweep's spec, answers with a batch. Handlers run on the server's threads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_HANDLER_H
#define BESOM_SERVICES_SUGGESTION_HANDLER_H

#include "rpc/server.h"
#include "services/suggestion/spec_cache.h"

#define SUGGESTION_SERVICE_NAME "besom.v1.SuggestionService"

/* The service's context is a struct spec_cache. */
extern const struct rpc_method suggestion_methods[];
extern const size_t suggestion_method_count;

#endif
