/*
 * Options of besom-controller: one table drives flags, environment, file and
 * help.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_OPTIONS_H
#define BESOM_CONTROLLER_OPTIONS_H

#include "base/config.h"
#include "services/common/service.h"

struct controller_options {
    struct service_options service;
    struct config_list token_files, token_key_files;
    int64_t rate_limit, rate_burst, token_calls;
    const char *suggestion_address, *scheduler_address, *peer_ca_file, *peer_certificate_file, *peer_key_file;
    int64_t lease_ms, renew_ms, lost_after_ms, claim_poll_ms, log_keep_bytes, ingest_workers,
        ingest_memory_bytes;
};

/* `besom-controller [options]` */
extern const struct config_command controller_command;

struct migrate_options {
    const char *database_url;
    const char *config_file;
};

/* `besom-controller migrate [options]` */
extern const struct config_command migrate_command;

#endif
