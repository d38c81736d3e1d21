// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/unseen.h"

#include "optim/design.h"

static enum status note_taken(struct unseen *unseen, const struct told *told, struct arena *arena,
                              struct err *err)
{
    const struct optim_question *question = unseen->question;
    size_t dims = unseen->space->count;
    TRY(seen_init(&unseen->seen, dims, told->count + question->pending_count, arena, err));
    for (size_t i = 0; i < told->count; i++)
        seen_add(&unseen->seen, told->points + i * dims);
    for (size_t i = 0; i < question->pending_count; i++)
        seen_add(&unseen->seen, question->pending + i * dims);
    return STATUS_OK;
}

static bool is_discrete(const struct optim_space *space)
{
    for (size_t i = 0; i < space->count; i++)
        if (dims_is_continuous(&space->dims[i]) && space->active == NULL)
            return false;
    return true; /* conditions may leave nothing continuous of a point */
}

enum status unseen_init(struct unseen *unseen, const struct optim_space *space, uint64_t seed,
                        const struct told *told, const struct optim_question *question, struct arena *arena,
                        struct err *err)
{
    *unseen = (struct unseen){.space = space,
                              .seed = seed,
                              .question = question,
                              .discrete = is_discrete(space),
                              .full = arena_alloc(arena, space->count * sizeof(double)),
                              .unit = arena_alloc(arena, space->count * sizeof(double)),
                              .active = arena_calloc(arena, space->count, sizeof(bool))};
    if (unseen->full == NULL || unseen->unit == NULL || unseen->active == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    return unseen->discrete ? note_taken(unseen, told, arena, err) : STATUS_OK;
}

bool unseen_has(const struct unseen *unseen, const double *point)
{
    return unseen->discrete && seen_has(&unseen->seen, point);
}

void unseen_settle(struct unseen *unseen, const double *full, double *out_point)
{
    dims_settle(unseen->space, full, unseen->active, out_point);
}

enum status unseen_spread(struct unseen *unseen, double *out_point, bool *found, struct arena *arena,
                          struct err *err)
{
    struct sobol *sobol = arena_alloc(arena, sizeof *sobol);
    *found = true;
    if (sobol == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    const struct design design = {.space = unseen->space,
                                  .seed = unseen->seed,
                                  .ordinal = unseen->question->ordinal,
                                  .seen = unseen->discrete ? &unseen->seen : NULL,
                                  .full = unseen->full,
                                  .unit = unseen->unit,
                                  .active = unseen->active};
    *found = design_point(&design, sobol, out_point);
    return STATUS_OK;
}
