/*
 * besom.v1.SuggestionService on top of the methods: decodes a request, holds
 * the sweep's spec, answers with a batch. Handlers run on the server's threads;
 * methods that learn are asked on the models' threads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_HANDLER_H
#define BESOM_SERVICES_SUGGESTION_HANDLER_H

#include "rpc/server.h"
#include "services/suggestion/models.h"

#define SUGGESTION_SERVICE_NAME "besom.v1.SuggestionService"

struct suggestion_service {
    struct spec_cache *specs; /* borrowed */
    struct models *models;    /* borrowed */
};

/* The service's context is a struct suggestion_service. */
extern const struct rpc_method suggestion_methods[];
extern const size_t suggestion_method_count;

#endif
