// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/options.h"

#define KEY(field, ...)                                                   \
    {                                                                     \
        .offset = offsetof(struct controller_options, field), __VA_ARGS__ \
    }

static const struct config_key controller_keys[] = {
    SERVICE_KEYS(struct controller_options, service, "127.0.0.1:7070"),
    KEY(token_files, .name = "token-file", .type = CONFIG_LIST, .environment = "BESOM_TOKEN_FILE",
        .value_name = "FILE",
        .help = "File with an admin's token, to begin with; several while one is replaced"),
    KEY(token_key_files, .name = "token-key-file", .type = CONFIG_LIST, .environment = "BESOM_TOKEN_KEY_FILE",
        .value_name = "FILE",
        .help = "File with the key of the tokens that `besom token create` makes, 32 characters or more; the "
                "first one makes them, several while one is replaced; none: keys made of the --token-files"),
    KEY(rate_limit, .name = "rate-limit", .type = CONFIG_INT, .initial = "10000",
        .environment = "BESOM_RATE_LIMIT", .value_name = "N", .min = 0, .max = 1000000000,
        .help = "Most calls a second of each token; 0 = any number"),
    KEY(rate_burst, .name = "rate-burst", .type = CONFIG_INT, .initial = "0",
        .environment = "BESOM_RATE_BURST", .value_name = "N", .min = 0, .max = 1000000000,
        .help = "Most calls of a token at once after a pause; 0 = those of two seconds"),
    KEY(token_calls, .name = "token-calls", .type = CONFIG_INT, .initial = "0",
        .environment = "BESOM_TOKEN_CALLS", .value_name = "N", .min = 0, .max = 1000000000,
        .help = "Most calls and streams of one token open at a time; 0 = nine tenths of --max-calls"),
    KEY(suggestion_address, .name = "suggestion-address", .type = CONFIG_TEXT, .initial = "127.0.0.1:7071",
        .environment = "BESOM_SUGGESTION_ADDRESS", .value_name = "ADDRESS",
        .help = "Where besom-suggestion serves, host:port or unix:PATH"),
    KEY(scheduler_address, .name = "scheduler-address", .type = CONFIG_TEXT, .initial = "127.0.0.1:7072",
        .environment = "BESOM_SCHEDULER_ADDRESS", .value_name = "ADDRESS",
        .help = "Where besom-scheduler serves, host:port or unix:PATH"),
    KEY(peer_ca_file, .name = "peer-ca-file", .type = CONFIG_TEXT, .environment = "BESOM_PEER_CA_FILE",
        .value_name = "FILE", .help = "Root certificate of those services; set = TLS to them"),
    KEY(peer_certificate_file, .name = "peer-cert-file", .type = CONFIG_TEXT,
        .environment = "BESOM_PEER_CERT_FILE", .value_name = "FILE",
        .help = "Certificate to show them, for their --tls-client-ca-file"),
    KEY(peer_key_file, .name = "peer-key-file", .type = CONFIG_TEXT, .environment = "BESOM_PEER_KEY_FILE",
        .value_name = "FILE", .help = "Its private key"),
    KEY(lease_ms, .name = "lease-time", .type = CONFIG_DURATION_MS, .initial = "60s",
        .environment = "BESOM_LEASE_TIME", .value_name = "TIME", .min = 100, .max = -1,
        .help = "How long a run counts as reachable after its last sign of life"),
    KEY(renew_ms, .name = "renew-time", .type = CONFIG_DURATION_MS, .initial = "10s",
        .environment = "BESOM_RENEW_TIME", .value_name = "TIME", .min = 50, .max = -1,
        .help = "How often agents send a sign of life"),
    KEY(lost_after_ms, .name = "lost-after", .type = CONFIG_DURATION_MS, .initial = "5m",
        .environment = "BESOM_LOST_AFTER", .value_name = "TIME", .min = 100, .max = -1,
        .help = "Silence after the lease after which a run is lost"),
    KEY(claim_poll_ms, .name = "claim-poll", .type = CONFIG_DURATION_MS, .initial = "500ms",
        .environment = "BESOM_CLAIM_POLL", .value_name = "TIME", .min = 10, .max = -1,
        .help = "How often parked callers and directives are looked after without a wake-up"),
    KEY(log_keep_bytes, .name = "log-keep", .type = CONFIG_SIZE, .initial = "16M",
        .environment = "BESOM_LOG_KEEP", .value_name = "SIZE", .min = 4096, .max = -1,
        .help = "Newest output that is kept of each attempt"),
    KEY(ingest_workers, .name = "ingest-workers", .type = CONFIG_INT, .initial = "2",
        .environment = "BESOM_INGEST_WORKERS", .value_name = "N", .min = 1, .max = 64,
        .help = "Threads that commit batches of metrics"),
    KEY(ingest_memory_bytes, .name = "ingest-memory", .type = CONFIG_SIZE, .initial = "256M",
        .environment = "BESOM_INGEST_MEMORY", .value_name = "SIZE", .min = 1 << 20, .max = -1,
        .help = "Most metrics and output that wait to be stored; beyond it agents keep them"),
};

const struct config_command controller_command = {
    .usage = "besom-controller [options]",
    .summary = "Serves sweeps and runs: the public API, leases, metrics. All state is in PostgreSQL.",
    .keys = controller_keys,
    .key_count = ARRAY_LEN(controller_keys),
    .footer = "`besom-controller migrate` creates or updates the database's schema first.",
    .config_flag = "config",
};

static const struct config_key migrate_keys[] = {
    {.offset = offsetof(struct migrate_options, database_url),
     .name = "database-url",
     .type = CONFIG_TEXT,
     .environment = "BESOM_DATABASE_URL",
     .value_name = "URL",
     .help = "PostgreSQL to migrate"},
    {.offset = offsetof(struct migrate_options, config_file),
     .name = "config",
     .type = CONFIG_TEXT,
     .value_name = "FILE",
     .help = "Read options from FILE, one \"key = value\" a line"},
};

const struct config_command migrate_command = {
    .usage = "besom-controller migrate [options]",
    .summary = "Brings the database's schema to this version. Two at once are harmless.",
    .keys = migrate_keys,
    .key_count = ARRAY_LEN(migrate_keys),
    .config_flag = "config",
};
