/*
 * What the end of an attempt makes of its run: end class, exit code, the
 * directive that ended it and the preempting mark → state, reason, and whether
 * the retry policy applies. One table. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_END_CLASS_H
#define BESOM_CONTROLLER_END_CLASS_H

#include <besom/v1/types.pb-c.h>
#include <stdbool.h>

#include "base/err.h"
#include "services/controller/run_state.h"

struct end_facts {
    Besom__V1__EndClass end_class;
    int32_t exit_code, signal;
    const char *directive; /* kind of the attempt's newest directive, "" = none */
    bool preempting;       /* the run said that it is being preempted */
};

struct end_verdict {
    enum run_state state;
    char reason[32];      /* "exit 1", "signal 9", "lost", ...; "" for a good end */
    unsigned retry_class; /* bit of enum spec_retry_on, 0 = never retried */
};

/* What was ordered to end is never tried again. INVALID for a class that is not known. */
enum status end_class_judge(const struct end_facts *facts, struct end_verdict *out, struct err *err) MUST_USE;

/* True when the facts of the attempt (directive, preempting mark) cannot change the verdict. */
bool end_class_is_plain(Besom__V1__EndClass end_class, int32_t exit_code);

#endif
