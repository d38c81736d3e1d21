// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/controller.h"

#include "base/file.h"
#include "services/controller/claim.h"
#include "services/controller/compact.h"
#include "services/controller/facts.h"
#include "services/controller/finish.h"
#include "services/controller/gate.h"
#include "services/controller/ingest.h"
#include "services/controller/log_follow.h"
#include "services/controller/looks.h"
#include "services/controller/meter.h"
#include "services/controller/metrics.h"
#include "services/controller/reaper.h"
#include "services/controller/refill.h"
#include "services/controller/standbys.h"
#include "services/controller/stops.h"
#include "services/controller/track.h"
#include "services/controller/wake.h"
#include "services/controller/watch.h"

#define PEER_TIMEOUT_MS 4000

static enum status connect_peer(const struct controller *controller, const char *address, const char *token,
                                besom_client **out, struct err *err)
{
    besom_client_options options = BESOM_CLIENT_OPTIONS_INIT;
    besom_error error;
    options.address = address;
    options.token = token;
    options.ca_file = controller->options->peer_ca_file;
    options.certificate_file = controller->options->peer_certificate_file;
    options.key_file = controller->options->peer_key_file;
    options.insecure = controller->options->service.insecure;
    options.timeout_ms = PEER_TIMEOUT_MS;
    besom_status code = besom_client_new(&options, out, &error);
    if (code == BESOM_OK)
        return STATUS_OK;
    return err_set(err, status_from_grpc((int)code), "%s: %s", address, error.text);
}

/* Any of the service tokens would do: peers take them all while one is replaced. */
static enum status connect_peers(struct controller *controller, struct err *err)
{
    const struct controller_options *options = controller->options;
    const struct config_list *files = &options->service.service_token_files;
    if ((options->peer_certificate_file == NULL) != (options->peer_key_file == NULL))
        return err_set(err, STATUS_INVALID, "--peer-cert-file and --peer-key-file go together");
    if (options->peer_certificate_file != NULL && options->peer_ca_file == NULL)
        return err_set(err, STATUS_INVALID, "--peer-cert-file needs --peer-ca-file");
    char token[TOKEN_LENGTH_MAX + 1] = "";
    if (files->count > 0)
        TRY(token_read_file(files->items[0], token, err));
    /* "": none, not the one that the environment holds for another use */
    TRY(connect_peer(controller, controller->options->suggestion_address, token, &controller->suggestion,
                     err));
    return connect_peer(controller, controller->options->scheduler_address, token, &controller->scheduler,
                        err);
}

/* Who is told or asked of something starts before who does that. */
static enum status start_parts(struct controller *controller, struct err *err)
{
    TRY(gate_new(controller->store, &controller->gate, err));
    TRY(facts_cache_new(controller->gate, &controller->facts, err));
    TRY(meter_new(&controller->meter, err));
    TRY(ingest_start(controller, &controller->ingest, err));
    TRY(finish_start(controller, &controller->finish, err));
    TRY(tracks_start(controller, &controller->tracks, err));
    TRY(standbys_new(controller, &controller->standbys, err));
    TRY(log_follow_start(controller, &controller->log_follow, err));
    TRY(looks_new(&controller->looks, err));
    TRY(claims_start(controller, &controller->claims, err));
    TRY(watch_start(controller, &controller->watch, err));
    TRY(wake_start(controller, &controller->wake, err));
    TRY(stops_start(controller, &controller->stops, err));
    TRY(compact_start(controller, &controller->compact, err));
    TRY(refill_start(controller, &controller->refill, err));
    TRY(reaper_start(controller, &controller->reaper, err));
    return backlog_start(controller, &controller->backlog, err);
}

enum status controller_start(struct controller *controller, struct err *err)
{
    enum status status = connect_peers(controller, err);
    if (status == STATUS_OK)
        status = start_parts(controller, err);
    if (status != STATUS_OK)
        controller_stop(controller);
    return status;
}

void controller_drain(void *context)
{
    struct controller *controller = context;
    claims_drain(controller->claims);
    tracks_drain(controller->tracks);
    watch_drain(controller->watch);
    log_follow_drain(controller->log_follow);
    looks_drain(controller->looks);
}

/* A part ends after all that tell it something or ask it; claims and refill tell each other. */
void controller_stop(struct controller *controller)
{
    backlog_stop(controller->backlog);
    claims_end(controller->claims);
    finish_stop(controller->finish);
    ingest_stop(controller->ingest);
    stops_stop(controller->stops);
    reaper_stop(controller->reaper);
    refill_stop(controller->refill);
    compact_stop(controller->compact);
    wake_stop(controller->wake);
    watch_stop(controller->watch);
    claims_free(controller->claims);
    log_follow_stop(controller->log_follow);
    tracks_stop(controller->tracks);
    standbys_free(controller->standbys);
    meter_free(controller->meter);
    facts_cache_free(controller->facts);
    gate_free(controller->gate);
    besom_client_free(controller->scheduler);
    besom_client_free(controller->suggestion);
    looks_free(controller->looks);
}
