// SPDX-License-Identifier: Apache-2.0
#include "agent_time.h"

#include <stdio.h>

#include "base/log.h"
#include "time_left.h"

/* Beyond the longest run: no two take the same time, and the last values are to be sent. */
static int64_t margin_ms(int64_t per_run_ms)
{
    return 1000 + per_run_ms / 10;
}

static const char *in_words(int64_t ms, char text[40])
{
    long long seconds = ms > 0 ? ms / 1000 : 0;
    if (seconds < 60)
        snprintf(text, 40, "%lld s", seconds);
    else if (seconds < 3600)
        snprintf(text, 40, "%lld min %lld s", seconds / 60, seconds % 60);
    else
        snprintf(text, 40, "%lld h %lld min", seconds / 3600, seconds % 3600 / 60);
    return text;
}

/* Leaves, or looks again when it will be time. */
static void look(void *context)
{
    struct agent *agent = context;
    char left[40], needed[40];
    int64_t per_run_ms = agent->options->time_per_run_ms, now_ms = loop_now_ms();
    if (agent->longest_run_ms > per_run_ms)
        per_run_ms = agent->longest_run_ms;
    int64_t rest_ms = agent->job_end_ms - per_run_ms - margin_ms(per_run_ms) - now_ms;
    if (agent->mode != AGENT_SERVING)
        return;
    if (rest_ms > 0) {
        loop_timer_set(agent->loop, &agent->time_timer, rest_ms);
        return;
    }
    agent_leave(agent, 0, "%s are left of its job and a run takes %s (--time-left-from %s)",
                in_words(agent->job_end_ms - now_ms, left), in_words(per_run_ms, needed),
                agent->options->time_left_from);
}

enum status agent_time_open(struct agent *agent, struct err *err)
{
    int64_t left_ms = TIME_LEFT_UNLIMITED;
    agent->time_timer = (struct loop_timer){.fire = look, .context = agent};
    if (agent->options->time_left_from == NULL)
        return STATUS_OK;
    TRY(time_left_ask_slurm(&left_ms, err));
    log_info("agent", "time_left", LOG_INT("left_ms", left_ms));
    if (left_ms == TIME_LEFT_UNLIMITED)
        return STATUS_OK;
    agent->job_end_ms = loop_now_ms() + left_ms;
    look(agent);
    return STATUS_OK;
}

void agent_time_note(struct agent *agent, int64_t took_ms)
{
    if (took_ms <= agent->longest_run_ms || agent->job_end_ms == 0)
        return;
    agent->longest_run_ms = took_ms;
    look(agent);
}
