/*
 * Process trees by /proc: everything below a process, and everything that
 * carries a mark in its environment. Races with processes that fork are met by
 * calling again until nothing is left. No state.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_TREE_H
#define BESOM_AGENT_TREE_H

#include <stddef.h>
#include <sys/types.h>

/* Sends `signal` to every descendant of `root` (not to root). Returns how many living ones there were. */
size_t tree_signal(pid_t root, int signal);

/* Sends SIGKILL to every descendant of `root` and to the process groups that they are in, each at one moment:
 * so a process that forks and goes, again and again, cannot run away. Only for a root that leads a session of
 * its own and is a subreaper: then no group has members from elsewhere. Returns how many living ones were
 * listed. */
size_t tree_kill(pid_t root);

/* Sends SIGKILL to this user's processes whose environment holds the entry "NAME=value". Returns how many. */
size_t tree_kill_marked(const char *entry);

#endif
