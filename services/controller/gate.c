// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "services/controller/controller.h"

typedef enum status gate_way(struct store *store, struct arena *arena, store_work *work, void *context,
                             struct err *err);

struct gate {
    struct store *store;
    pthread_mutex_t lock;
    bool away;   /* lock: the last transaction did not reach the database */
    bool trying; /* lock: somebody is finding out whether it is back */
};

enum status gate_new(struct store *store, struct gate **out, struct err *err)
{
    struct gate *gate = calloc(1, sizeof *gate);
    *out = gate;
    if (gate == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    gate->store = store;
    pthread_mutex_init(&gate->lock, NULL);
    return STATUS_OK;
}

void gate_free(struct gate *gate)
{
    if (gate == NULL)
        return;
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* False: refused. *tries = this one finds out. */
static bool enter(struct gate *gate, bool *tries)
{
    pthread_mutex_lock(&gate->lock);
    bool passes = !gate->away || !gate->trying;
    *tries = gate->away && passes;
    gate->trying = gate->trying || *tries;
    pthread_mutex_unlock(&gate->lock);
    return passes;
}

static void leave(struct gate *gate, bool tried, enum status status)
{
    pthread_mutex_lock(&gate->lock);
    bool was_away = gate->away;
    /* a pool without a free connection says nothing of the database */
    if (status != STATUS_EXHAUSTED && status != STATUS_NO_MEMORY)
        gate->away = status == STATUS_UNAVAILABLE;
    gate->trying = gate->trying && !tried;
    bool changed = gate->away != was_away;
    pthread_mutex_unlock(&gate->lock);
    if (changed && was_away)
        log_info(CONTROLLER_LOG, "database_is_back");
    else if (changed)
        log_warn(CONTROLLER_LOG, "database_is_away");
}

static enum status pass(struct gate *gate, gate_way *way, struct arena *arena, store_work *work,
                        void *context, struct err *err)
{
    bool tries;
    if (!enter(gate, &tries))
        return err_set(err, STATUS_UNAVAILABLE, "the database is unavailable");
    enum status status = way(gate->store, arena, work, context, err);
    leave(gate, tries, status);
    return status;
}

enum status gate_transaction(struct gate *gate, struct arena *arena, store_work *work, void *context,
                             struct err *err)
{
    return pass(gate, store_transaction, arena, work, context, err);
}

enum status gate_read(struct gate *gate, struct arena *arena, store_work *work, void *context,
                      struct err *err)
{
    return pass(gate, store_read, arena, work, context, err);
}
