// SPDX-License-Identifier: Apache-2.0
/* The calls that stay open, so that those of a caller who is no longer welcome can be ended. */
#include "rpc/server_internal.h"

void server_stay(struct rpc_server *server, struct rpc_stay *stay, grpc_call *core,
                 const struct rpc_identity *identity)
{
    pthread_mutex_lock(&server->stays_lock);
    *stay =
        (struct rpc_stay){.next = server->stays, .at = &server->stays, .core = core, .identity = identity};
    if (stay->next != NULL)
        stay->next->at = &stay->next;
    server->stays = stay;
    pthread_mutex_unlock(&server->stays_lock);
}

void server_unstay(struct rpc_server *server, struct rpc_stay *stay)
{
    /* neighbours of the list write `at` as well */
    pthread_mutex_lock(&server->stays_lock);
    if (stay->at != NULL) {
        *stay->at = stay->next;
        if (stay->next != NULL)
            stay->next->at = stay->at;
        stay->at = NULL;
    }
    pthread_mutex_unlock(&server->stays_lock);
}

size_t rpc_server_recheck(struct rpc_server *server, rpc_identity_check *check, void *context)
{
    size_t ended = 0;
    pthread_mutex_lock(&server->stays_lock);
    for (struct rpc_stay *stay = server->stays; stay != NULL; stay = stay->next) {
        struct err err = ERR_INIT;
        /* who calls what is open to everybody has shown nothing */
        if (stay->ended || stay->identity->access == 0 || check(context, stay->identity, &err) == STATUS_OK)
            continue;
        stay->ended = true;
        ended++;
        /* the core copies the text, and only queues completions */
        (void)grpc_call_cancel_with_status(stay->core, (grpc_status_code)status_info(err.code)->grpc,
                                           err.text, NULL);
    }
    pthread_mutex_unlock(&server->stays_lock);
    return ended;
}
