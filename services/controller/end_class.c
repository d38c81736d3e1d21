// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/end_class.h"

#include <stdio.h>
#include <string.h>

#include "spec/spec.h"

enum number { NUMBER_NONE, NUMBER_EXIT_CODE, NUMBER_SIGNAL };

/* The first row that fits decides. */
static const struct {
    Besom__V1__EndClass end_class;
    const char *directive; /* NULL = any */
    bool bad_exit;         /* only with an exit code that is not 0 */
    bool preempting;       /* only with the mark */
    enum run_state state;
    const char *reason;
    enum number number; /* appended to the reason */
    unsigned retry_class;
} rows[] = {
#define CLASS(name) .end_class = BESOM__V1__END_CLASS__END_CLASS_##name
    /* whatever the program made of the order; one that is done is done */
    {CLASS(EXITED), "pause", true, false, RUN_PAUSED, "paused", NUMBER_NONE, 0},
    {CLASS(SIGNALED), "pause", false, false, RUN_PAUSED, "paused", NUMBER_NONE, 0},
    {CLASS(DIRECTED), "pause", false, false, RUN_PAUSED, "paused", NUMBER_NONE, 0},
    {CLASS(PREEMPTED), "pause", false, false, RUN_PAUSED, "paused", NUMBER_NONE, 0},
    {CLASS(LOST), "pause", false, false, RUN_PAUSED, "paused", NUMBER_NONE, 0},
    {CLASS(EXITED), NULL, true, true, RUN_CRASHED, "preempted", NUMBER_NONE, SPEC_RETRY_PREEMPTED},
    {CLASS(EXITED), NULL, true, false, RUN_FAILED, "exit ", NUMBER_EXIT_CODE, SPEC_RETRY_FAILED},
    {CLASS(EXITED), NULL, false, false, RUN_FINISHED, "", NUMBER_NONE, 0},
    {CLASS(SIGNALED), NULL, false, true, RUN_CRASHED, "preempted", NUMBER_NONE, SPEC_RETRY_PREEMPTED},
    {CLASS(SIGNALED), NULL, false, false, RUN_CRASHED, "signal ", NUMBER_SIGNAL, SPEC_RETRY_CRASHED},
    {CLASS(DIRECTED), "stop_early", false, false, RUN_STOPPED, "early_stop", NUMBER_NONE, 0},
    {CLASS(DIRECTED), NULL, false, false, RUN_KILLED, "user", NUMBER_NONE, 0},
    {CLASS(USER), NULL, false, false, RUN_KILLED, "user", NUMBER_NONE, 0},
    /* by chance before an order was carried out: as if it had been */
    {CLASS(PREEMPTED), "stop_early", false, false, RUN_STOPPED, "early_stop", NUMBER_NONE, 0},
    {CLASS(PREEMPTED), "stop_user", false, false, RUN_KILLED, "user", NUMBER_NONE, 0},
    {CLASS(PREEMPTED), "kill", false, false, RUN_KILLED, "user", NUMBER_NONE, 0},
    {CLASS(PREEMPTED), NULL, false, false, RUN_CRASHED, "preempted", NUMBER_NONE, SPEC_RETRY_PREEMPTED},
    {CLASS(START_FAILED), NULL, false, false, RUN_FAILED, "could not start", NUMBER_NONE, 0},
    {CLASS(LOST), "stop_early", false, false, RUN_STOPPED, "early_stop", NUMBER_NONE, 0},
    {CLASS(LOST), "stop_user", false, false, RUN_KILLED, "user", NUMBER_NONE, 0},
    {CLASS(LOST), "kill", false, false, RUN_KILLED, "user", NUMBER_NONE, 0},
    {CLASS(LOST), NULL, false, false, RUN_CRASHED, "lost", NUMBER_NONE, SPEC_RETRY_LOST},
#undef CLASS
};

static bool row_fits(size_t i, const struct end_facts *facts)
{
    return rows[i].end_class == facts->end_class &&
           (rows[i].directive == NULL || strcmp(rows[i].directive, facts->directive) == 0) &&
           (!rows[i].bad_exit || facts->exit_code != 0) && (!rows[i].preempting || facts->preempting);
}

static void write_reason(size_t i, const struct end_facts *facts, struct end_verdict *out)
{
    if (rows[i].number == NUMBER_NONE)
        (void)snprintf(out->reason, sizeof out->reason, "%s", rows[i].reason);
    else
        (void)snprintf(out->reason, sizeof out->reason, "%s%d", rows[i].reason,
                       rows[i].number == NUMBER_SIGNAL ? facts->signal : facts->exit_code);
}

enum status end_class_judge(const struct end_facts *facts, struct end_verdict *out, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!row_fits(i, facts))
            continue;
        out->state = rows[i].state;
        out->retry_class = facts->directive[0] == '\0' ? rows[i].retry_class : 0;
        write_reason(i, facts, out);
        return STATUS_OK;
    }
    return err_set(err, STATUS_INVALID, "end_class %d is not known", (int)facts->end_class);
}

bool end_class_is_plain(Besom__V1__EndClass end_class, int32_t exit_code)
{
    return end_class == BESOM__V1__END_CLASS__END_CLASS_EXITED && exit_code == 0;
}
