/*
 * The agent process: options and state folder in, exit code out. One loop's
 * thread does everything; libbesom's threads only post answers to it.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_AGENT_H
#define BESOM_AGENT_AGENT_H

#include <besom/client.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attempt.h"
#include "call.h"
#include "loop.h"
#include "options.h"
#include "spool.h"
#include "state_dir.h"
#include "surroundings.h"
#include "tracker.h"

/* How far the agent is on its way out. Only grows. */
enum agent_mode {
    AGENT_SERVING,  /* takes runs */
    AGENT_WAITING,  /* takes none, waits for those it has */
    AGENT_STOPPING, /* stops those it has */
    AGENT_KILLING,  /* kills them */
    AGENT_RETIRING  /* has none, says goodbye */
};

struct agent;

/* See slot.c for the picture. */
enum slot_phase {
    SLOT_IDLE,      /* has nothing */
    SLOT_ACQUIRING, /* AcquireRun is under way, or its next try is due */
    SLOT_REPORTING, /* the folder exists; the start is being reported, nothing was started */
    SLOT_STARTING,  /* a shim was spawned, or found, and is not connected */
    SLOT_RUNNING,   /* connected to the shim */
    SLOT_DRAINING,  /* the shim is gone; its batches are being acknowledged */
    SLOT_FINISHING  /* FinishRun is under way, or its next try is due */
};

/* What is to be done to a run, kept until the shim has taken it. */
struct slot_order {
    bool set, at_once;
    enum end_cause cause;
    int64_t generation;
    char reason[200];
};

struct slot {
    struct agent *agent;
    int number;
    enum slot_phase phase;
    int64_t counter;
    char *gpus;        /* owned; held from before AcquireRun to the end; NULL = not bound */
    struct call *call; /* under way; frees itself after its answer */
    int64_t asked_ms, backoff_ms;
    int64_t began_ms; /* its run; 0 = none, or taken up */
    struct loop_timer retry_timer;
    /* From here on: of the attempt in the slot. */
    struct attempt_paths paths;
    struct attempt_spec spec;
    struct attempt_exit end;
    struct tracker *tracker; /* owned; NULL while not needed */
    int64_t final_sequence;  /* known from SLOT_DRAINING on */
    bool superseded;         /* its end is nobody's business any more */
    bool gone;               /* deleted at the controller: its data too */
    struct slot_order order;
    pid_t shim; /* our child, by now maybe ended; 0 = adopted or none */
    int control;
    struct loop_watch *control_watch;
    struct spool_reader *viewer; /* owned; NULL with --quiet */
    struct loop_timer view_timer;
    int64_t viewed, to_view; /* last batch that was shown, that can be */
    bool line_starts[2];     /* of shown output */
    char prefix[32];
    int64_t taken;      /* sequence up to which the controller has what the run logged */
    int broken_streams; /* by the controller's fault, since it took something */
};

struct agent {
    const struct agent_options *options;
    struct surroundings around;
    struct loop *loop;
    besom_client *client;
    struct state_dir state;
    char host[256];
    char *sweep_id;      /* owned; the option, or the project's sweep of single runs */
    char *submit_params; /* owned; JSON of the single run; NULL = runs are acquired */
    bool submitted;      /* the single run has been handed out */
    int run_exit_code;   /* of the single run's command; 1 until it is known */
    enum agent_mode mode;
    int exit_code;
    char reason[512]; /* why it leaves */
    bool finished;    /* the loop may end */
    bool registered;
    struct call *call; /* register or retire */
    struct loop_timer step_timer, register_timer, stop_timer, term_timer, time_timer;
    int64_t backoff_ms;
    int64_t lease_ms, renew_ms, lost_after_ms;
    struct slot *slots; /* owned; more than asked for when a killed agent had more */
    int slot_count;
    int64_t started_ms, ended, failed;
    int64_t job_end_ms;        /* when the batch system ends this job, monotonic; 0 = it does not */
    int64_t longest_run_ms;    /* of those that ended here */
    int interrupts;            /* signals that ask to end, so far */
    int terminations;          /* those that do not come from a keyboard */
    int64_t terminated_ms;     /* when the last of them counted */
    bool quarantine;           /* its runs failed at once: what it says when it retires */
    enum end_cause stop_cause; /* from AGENT_STOPPING on */
    int64_t ended_ms;          /* while stopping: no command lives since; 0 = one does */
    bool left_behind;          /* ends with attempts that could not be reported */
    int64_t away_since_ms;     /* controller unreachable; 0 = it answers */
    bool away_said;
    char wait_reason[256];
    int signal_fd;
    struct loop_watch *signal_watch;
};

/* Serves until there is nothing left to do. Returns the exit code. */
int agent_run(const struct agent_options *options);

/* ---- parts of the agent ---- */

/* Everything but registering; takes up what a killed agent left. The error is for people. */
enum status agent_set_up(struct agent *agent, struct err *err) MUST_USE;
/* Frees the agent, whatever of it is there. */
void agent_tear_down(struct agent *agent);
/* Timers: hands idle slots on or ends; calls RegisterAgent. */
void agent_on_step(void *agent);
void agent_register(void *agent);
/* The controller said that it does not know this agent. */
void agent_register_again(struct agent *agent);

/* ---- for slots ---- */

/* Takes no further runs and, once the slots are idle, ends. The first reason is the one that is said. */
void agent_leave(struct agent *agent, int exit_code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Soon: hands idle slots on, or ends when nothing is left. */
void agent_step(struct agent *agent);
/* True when another run may be asked for. */
bool agent_wants_run(const struct agent *agent);
/* A run has ended; `exit_code` > 0 counts as a failure. */
void agent_count_end(struct agent *agent, int exit_code);
/* The single run's command has ended. */
void agent_note_single_end(struct agent *agent, const struct attempt_exit *end);
/* The controller answered (BESOM_OK) or not: says so once. */
void agent_note_answer(struct agent *agent, const besom_error *error);
/* WAIT came: says why when that is new. */
void agent_note_wait(struct agent *agent, const char *reason);

/* ---- slots ---- */

void slot_init(struct slot *slot, struct agent *agent, int number);
/* Takes the attempt in `paths` over; spec has been read into the slot. */
void slot_adopt(struct slot *slot);
/* Asks for a run when idle and wanted. */
void slot_step(struct slot *slot);
/* Registration has succeeded: streams may be opened. */
void slot_registered(struct slot *slot);
/* Has nothing, holds nothing. */
void slot_become_idle(struct slot *slot);
/* Ends waiting for a run. */
void slot_cancel_acquire(struct slot *slot);
/* Stops or kills what runs. */
void slot_order(struct slot *slot, bool at_once, enum end_cause cause, int64_t generation,
                const char *reason);
void slot_forward_signal(struct slot *slot, int number);
/* Has a command that lives. */
bool slot_is_live(const struct slot *slot);
void slot_free(struct slot *slot);

/* ---- parts of slots ---- */

/* Makes spec and folder for an assignment. REFUSED: this run cannot be, UNABLE: no run can be on this
 * machine; slot->end says why. */
enum slot_prepared { SLOT_PREPARED, SLOT_REFUSED, SLOT_UNABLE };
enum slot_prepared slot_prepare(struct slot *slot, const Besom__V1__RunAssignment *run);
/* Ends an assignment that comes too late, so that it is queued again at once (a single run: for good). */
void slot_give_back(struct slot *slot, const Besom__V1__RunAssignment *run);
/* Spawns the shim, or connects to the one that lives. */
void slot_spawn_shim(struct slot *slot);
void slot_connect_shim(struct slot *slot);
void slot_disconnect_shim(struct slot *slot);
/* Ends an attempt that was never started. */
void slot_end_unstarted(struct slot *slot, enum end_cause cause, int64_t generation);
/* Hands the order over when connected. */
void slot_send_order(struct slot *slot);
/* Timer: shows more of the run's output. */
void slot_show_output(void *slot);
/* The shim is gone: finds out how it ended. */
void slot_shim_gone(struct slot *slot);
void slot_start_tracker(struct slot *slot);
/* Goes on to FinishRun when everything is acknowledged. */
void slot_drain(struct slot *slot);
void slot_finish(struct slot *slot);
/* The attempt is done with: counter up, folder away. */
void slot_release(struct slot *slot);

#endif
