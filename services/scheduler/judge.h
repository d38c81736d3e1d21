/*
 * Numbered rung values → decisions. A decision is a function of the values of
 * its sweep up to and including its own, in order of their numbers, and of
 * nothing else: that is what makes a replay end in the same decisions.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_JUDGE_H
#define BESOM_SERVICES_SCHEDULER_JUDGE_H

#include "base/arena.h"
#include "base/err.h"
#include "db/store/stops.h"
#include "stop/stop.h"

/* The decision on a value that its run goes on, compared with nothing. Texts are those given. */
struct store_decision judge_go_on(const struct store_rung_value *value, const char *reason);

/* Feeds the rule a value on which a decision exists. NO_MEMORY. */
enum status judge_replay(struct stop_rule *rule, const struct store_rung_value *value,
                         struct err *err) MUST_USE;

/* Stores and judges. Texts of *out live in `arena`, its ids are those of `value`. A value that the rule
 * refuses (of a band that is not there, not finite) is decided as "goes on", so that it never holds up those
 * after it. NO_MEMORY. */
enum status judge_value(struct stop_rule *rule, const struct store_rung_value *value, struct arena *arena,
                        struct store_decision *out, struct err *err) MUST_USE;

#endif
