/*
 * A cohort keeps its members in an array by ordinal, and for each how far it
 * was promoted and its value at each rung. A verdict sorts those awaited.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop/halving.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct member {
    char run[STOP_RUN_KEY_MAX + 1];
    int64_t ordinal;
    bool ended;
    double final;    /* loss of a run that has finished; NAN: it has not, or failed */
    bool out;        /* a verdict let it go */
    size_t promoted; /* times; the rung at which it is awaited */
    double losses[]; /* by rung; NAN: none */
};

struct cohort {
    int64_t first; /* ordinal; the key */
    int64_t runs;
    const struct halving_bracket *bracket;
    size_t rung_count;
    size_t rung;             /* the next verdict; rung_count: all were given */
    int64_t awaited;         /* runs at that rung */
    int64_t arrived;         /* of them */
    struct member **members; /* owned, and what it points to; by ordinal - first; NULL: not heard of */
    size_t member_count;
    UT_hash_handle hh;
};

struct halving {
    struct stop_config config;
    double sign; /* -1 when the metric is maximised: losses are smaller when better */
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    struct halving_bracket brackets[HALVING_BRACKETS_MAX];
    size_t bracket_count;
    int64_t round;   /* runs of all brackets */
    int64_t *starts; /* owned; ordinals where brackets begin anew, ascending, the first 0 */
    size_t start_count, start_capacity;
    struct cohort *cohorts;           /* owned; uthash */
    struct halving_verdict *verdicts; /* owned */
    size_t verdict_count, verdict_capacity;
};

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "early stopping: out of memory");
}

/* ---- the plan ---- */

int64_t halving_keeps(int64_t runs, double eta)
{
    int64_t kept = eta == floor(eta) ? runs / (int64_t)eta : (int64_t)((double)runs / eta);
    return kept > 0 ? kept : 1;
}

/* ceil((s_max + 1) / (s + 1) * eta^s); below 2^60, since eta^s is at most max_iter. */
static int64_t starting_runs(int64_t s_max, int64_t s, double eta)
{
    if (eta != floor(eta))
        return (int64_t)ceil((double)(s_max + 1) / (double)(s + 1) * pow(eta, (double)s));
    int64_t power = 1;
    for (int64_t i = 0; i < s; i++)
        power *= (int64_t)eta;
    return ((s_max + 1) * power + s) / (s + 1);
}

enum status halving_brackets(const struct stop_config *config,
                             struct halving_bracket out[HALVING_BRACKETS_MAX], size_t *count, struct err *err)
{
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    *count = 0;
    if (!stop_type_pauses(config->type))
        return err_set(err, STATUS_INVALID, "this type of early termination has no brackets");
    TRY(stop_bands(config, bands, &band_count, err));
    int64_t s_max = (int64_t)band_count;
    int64_t used = config->brackets > 0 ? config->brackets : s_max + 1;
    for (int64_t s = s_max; s > s_max - used; s--)
        out[(*count)++] = (struct halving_bracket){
            .s = s, .runs = starting_runs(s_max, s, config->eta), .first_band = band_count - (size_t)s};
    return STATUS_OK;
}

/* The last place where brackets begin that is not above `ordinal`. */
static size_t start_of(const struct halving *halving, int64_t ordinal)
{
    size_t low = 0, high = halving->start_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (halving->starts[middle] <= ordinal)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Its cohort's bracket, first ordinal and size, as far as it is known that runs come. */
static void find_place(const struct halving *halving, int64_t ordinal, struct cohort *out)
{
    size_t start = start_of(halving, ordinal);
    int64_t offset = (ordinal - halving->starts[start]) % halving->round;
    int64_t first = ordinal - offset;
    size_t bracket = 0;
    for (; offset >= halving->brackets[bracket].runs; bracket++) {
        offset -= halving->brackets[bracket].runs;
        first += halving->brackets[bracket].runs;
    }
    out->first = first;
    out->bracket = &halving->brackets[bracket];
    out->runs = halving->brackets[bracket].runs;
    if (start + 1 < halving->start_count && first + out->runs > halving->starts[start + 1])
        out->runs = halving->starts[start + 1] - first;
}

/* ---- making and freeing ---- */

static enum status add_start(struct halving *halving, int64_t ordinal, struct err *err)
{
    if (halving->start_count == halving->start_capacity) {
        size_t capacity = halving->start_capacity == 0 ? 4 : halving->start_capacity * 2;
        int64_t *grown = realloc(halving->starts, capacity * sizeof *grown);
        if (grown == NULL)
            return out_of_memory(err);
        halving->starts = grown;
        halving->start_capacity = capacity;
    }
    halving->starts[halving->start_count++] = ordinal;
    return STATUS_OK;
}

enum status halving_new(const struct stop_config *config, bool maximize, struct halving **out,
                        struct err *err)
{
    *out = NULL;
    struct halving *halving = calloc(1, sizeof *halving);
    if (halving == NULL)
        return out_of_memory(err);
    halving->config = *config;
    halving->sign = maximize ? -1 : 1;
    enum status status = halving_brackets(config, halving->brackets, &halving->bracket_count, err);
    if (status == STATUS_OK)
        status = stop_bands(config, halving->bands, &halving->band_count, err);
    if (status == STATUS_OK)
        status = add_start(halving, 0, err);
    if (status != STATUS_OK) {
        halving_free(halving);
        return status;
    }
    for (size_t i = 0; i < halving->bracket_count; i++)
        halving->round += halving->brackets[i].runs;
    *out = halving;
    return STATUS_OK;
}

static void free_cohort(struct cohort *cohort)
{
    for (size_t i = 0; i < cohort->member_count; i++)
        free(cohort->members[i]);
    free(cohort->members);
    free(cohort);
}

void halving_free(struct halving *halving)
{
    struct cohort *cohort, *next;
    if (halving == NULL)
        return;
    HASH_ITER(hh, halving->cohorts, cohort, next)
    {
        HASH_DEL(halving->cohorts, cohort);
        free_cohort(cohort);
    }
    free(halving->starts);
    free(halving->verdicts);
    free(halving);
}

void halving_free_at(struct halving **halving)
{
    halving_free(*halving);
    *halving = NULL;
}

const struct stop_config *halving_config(const struct halving *halving)
{
    return &halving->config;
}

static struct cohort *find_cohort(const struct halving *halving, int64_t first)
{
    struct cohort *cohort = NULL;
    HASH_FIND(hh, halving->cohorts, &first, sizeof first, cohort);
    return cohort;
}

static enum status make_cohort(struct halving *halving, int64_t ordinal, struct cohort **out, struct err *err)
{
    struct cohort place = {.first = 0};
    find_place(halving, ordinal, &place);
    *out = find_cohort(halving, place.first);
    if (*out != NULL)
        return STATUS_OK;
    struct cohort *cohort = malloc(sizeof *cohort);
    if (cohort == NULL)
        return out_of_memory(err);
    *cohort = place;
    cohort->rung_count = halving->band_count - place.bracket->first_band;
    cohort->awaited = place.runs;
    HASH_ADD(hh, halving->cohorts, first, sizeof cohort->first, cohort);
    *out = cohort;
    return STATUS_OK;
}

static enum status make_member(struct cohort *cohort, int64_t ordinal, struct member **out, struct err *err)
{
    size_t place = (size_t)(ordinal - cohort->first);
    if (place >= cohort->member_count) {
        size_t count = place + 1 > cohort->member_count * 2 ? place + 1 : cohort->member_count * 2;
        struct member **grown = realloc(cohort->members, count * sizeof(*grown));
        if (grown == NULL)
            return out_of_memory(err);
        memset(&grown[cohort->member_count], 0, (count - cohort->member_count) * sizeof(*grown));
        cohort->members = grown;
        cohort->member_count = count;
    }
    *out = cohort->members[place];
    if (*out != NULL)
        return STATUS_OK;
    struct member *member = calloc(1, sizeof *member + cohort->rung_count * sizeof member->losses[0]);
    if (member == NULL)
        return out_of_memory(err);
    member->ordinal = ordinal;
    member->final = NAN;
    for (size_t i = 0; i < cohort->rung_count; i++)
        member->losses[i] = NAN;
    cohort->members[place] = *out = member;
    return STATUS_OK;
}

/* ---- verdicts ---- */

/* What counts at a rung: NAN for a run that failed, or has not come yet. */
static double loss_at(const struct member *member, size_t rung)
{
    if (member->ended && (isnan(member->final) || isnan(member->losses[rung])))
        return member->final;
    return member->losses[rung];
}

static bool is_awaited(const struct cohort *cohort, const struct member *member)
{
    return member != NULL && !member->out && member->promoted == cohort->rung;
}

static bool has_arrived(const struct cohort *cohort, const struct member *member)
{
    return is_awaited(cohort, member) && (member->ended || !isnan(member->losses[cohort->rung]));
}

struct place {
    double loss; /* INFINITY: failed */
    struct member *member;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    if (left->loss != right->loss)
        return left->loss < right->loss ? -1 : 1;
    return (left->member->ordinal > right->member->ordinal) -
           (left->member->ordinal < right->member->ordinal);
}

static enum status make_room(struct halving *halving, size_t more, struct err *err)
{
    size_t needed = halving->verdict_count + more;
    if (needed <= halving->verdict_capacity)
        return STATUS_OK;
    struct halving_verdict *grown = realloc(halving->verdicts, needed * sizeof *grown);
    if (grown == NULL)
        return out_of_memory(err);
    halving->verdicts = grown;
    halving->verdict_capacity = needed;
    return STATUS_OK;
}

/* Those awaited, best first. All have come, so each is known. */
static size_t rank_members(const struct cohort *cohort, struct place *out)
{
    size_t count = 0;
    for (size_t i = 0; i < cohort->member_count; i++) {
        if (!is_awaited(cohort, cohort->members[i]))
            continue;
        double loss = loss_at(cohort->members[i], cohort->rung);
        out[count++] = (struct place){isnan(loss) ? INFINITY : loss, cohort->members[i]};
    }
    if (count > 1)
        qsort(out, count, sizeof *out, compare_places);
    return count;
}

static void give_verdicts(struct halving *halving, struct cohort *cohort, const struct place *places,
                          size_t count)
{
    int64_t keeps = halving_keeps((int64_t)count, halving->config.eta), promoted = 0;
    size_t band = cohort->bracket->first_band + cohort->rung;
    while (promoted < keeps && promoted < (int64_t)count && isfinite(places[promoted].loss))
        promoted++;
    double threshold = promoted > 0 ? halving->sign * places[promoted - 1].loss + 0.0 : NAN;
    for (size_t i = 0; i < count; i++) {
        struct member *member = places[i].member;
        bool goes_on = (int64_t)i < promoted;
        struct halving_verdict *verdict = &halving->verdicts[halving->verdict_count++];
        *verdict = (struct halving_verdict){
            .ordinal = member->ordinal,
            .promoted = goes_on,
            .band_index = band,
            .band = halving->bands[band],
            .s = cohort->bracket->s,
            .cohort = cohort->first,
            .planned = (int64_t)count,
            .rank = (int64_t)i + 1,
            .value = isfinite(places[i].loss) ? halving->sign * places[i].loss + 0.0 : NAN,
            .threshold = threshold};
        memcpy(verdict->run, member->run, sizeof verdict->run);
        member->out = !goes_on;
        member->promoted += goes_on;
    }
    cohort->awaited = promoted;
}

static void count_arrived(struct cohort *cohort)
{
    cohort->arrived = 0;
    for (size_t i = 0; i < cohort->member_count && cohort->rung < cohort->rung_count; i++)
        cohort->arrived += has_arrived(cohort, cohort->members[i]);
}

/* A verdict may complete the next rung too: by runs that went on without a pause, or have ended. */
static enum status settle(struct halving *halving, struct cohort *cohort, struct err *err)
{
    while (cohort->rung < cohort->rung_count && cohort->awaited > 0 && cohort->arrived == cohort->awaited) {
        size_t count = (size_t)cohort->awaited;
        struct place *places = calloc(count, sizeof *places);
        enum status status = places != NULL ? make_room(halving, count, err) : out_of_memory(err);
        if (status == STATUS_OK)
            give_verdicts(halving, cohort, places, rank_members(cohort, places));
        free(places);
        if (status != STATUS_OK)
            return status;
        cohort->rung++;
        count_arrived(cohort);
    }
    return STATUS_OK;
}

const struct halving_verdict *halving_verdicts(const struct halving *halving, size_t *count)
{
    *count = halving->verdict_count;
    return halving->verdicts;
}

/* ---- events ---- */

static enum status find_member(struct halving *halving, int64_t ordinal, const char *run,
                               struct cohort **cohort, struct member **member, struct err *err)
{
    halving->verdict_count = 0;
    if (ordinal < 0)
        return err_set(err, STATUS_INVALID, "run %s has no ordinal", run);
    if (strlen(run) > STOP_RUN_KEY_MAX)
        return err_set(err, STATUS_INVALID, "a run's key has at most %d bytes", STOP_RUN_KEY_MAX);
    TRY(make_cohort(halving, ordinal, cohort, err));
    TRY(make_member(*cohort, ordinal, member, err));
    memcpy((*member)->run, run, strlen(run) + 1);
    return STATUS_OK;
}

/* `before`: whether it had arrived at the open rung before it changed. */
static enum status count_change(struct halving *halving, struct cohort *cohort, const struct member *member,
                                bool before, struct err *err)
{
    if (cohort->rung < cohort->rung_count)
        cohort->arrived += has_arrived(cohort, member) - before;
    return settle(halving, cohort, err);
}

static bool arrived_before(const struct cohort *cohort, const struct member *member)
{
    return cohort->rung < cohort->rung_count && has_arrived(cohort, member);
}

/* The verdict on the run at the band, when it was given just now. */
static void add_verdict(const struct halving *halving, struct halving_decision *out, int64_t ordinal)
{
    for (size_t i = 0; i < halving->verdict_count; i++) {
        const struct halving_verdict *verdict = &halving->verdicts[i];
        if (verdict->ordinal != ordinal || verdict->band_index != out->band_index)
            continue;
        out->rank = verdict->rank;
        out->threshold = verdict->threshold;
        out->planned = out->arrived = verdict->planned;
        out->keeps = halving_keeps(verdict->planned, halving->config.eta);
    }
}

static void decide(const struct halving *halving, const struct cohort *cohort, const struct member *member,
                   size_t rung, struct halving_decision *out)
{
    out->answer = member->out ? HALVING_OUT : rung >= member->promoted ? HALVING_WAITS : HALVING_PROMOTED;
    out->planned = cohort->awaited;
    out->arrived = cohort->arrived;
    out->keeps = halving_keeps(cohort->awaited, halving->config.eta);
    add_verdict(halving, out, member->ordinal);
}

enum status halving_observe(struct halving *halving, int64_t ordinal, const char *run, size_t band_index,
                            double value, struct halving_decision *out, struct err *err)
{
    struct cohort *cohort = NULL;
    struct member *member = NULL;
    *out = (struct halving_decision){.band_index = band_index, .threshold = NAN};
    halving->verdict_count = 0;
    if (band_index >= halving->band_count || !isfinite(value) || run[0] == '\0')
        return err_set(err, STATUS_INVALID, "run %s: there is no band %zu, or no finite value", run,
                       band_index);
    TRY(find_member(halving, ordinal, run, &cohort, &member, err));
    out->band = halving->bands[band_index];
    out->s = cohort->bracket->s;
    out->cohort = cohort->first;
    if (band_index < cohort->bracket->first_band)
        return STATUS_OK; /* HALVING_NO_RUNG */
    size_t rung = band_index - cohort->bracket->first_band;
    bool before = arrived_before(cohort, member);
    member->losses[rung] = halving->sign * value;
    member->ended = false; /* it was lost and has come back */
    member->final = NAN;
    TRY(count_change(halving, cohort, member, before, err));
    decide(halving, cohort, member, rung, out);
    return STATUS_OK;
}

enum status halving_end(struct halving *halving, int64_t ordinal, const char *run, double value,
                        struct err *err)
{
    struct cohort *cohort = NULL;
    struct member *member = NULL;
    TRY(find_member(halving, ordinal, run, &cohort, &member, err));
    bool before = arrived_before(cohort, member);
    member->ended = true;
    member->final = isfinite(value) ? halving->sign * value : NAN;
    return count_change(halving, cohort, member, before, err);
}

enum status halving_close(struct halving *halving, int64_t ordinal, struct err *err)
{
    halving->verdict_count = 0;
    if (ordinal <= halving->starts[halving->start_count - 1])
        return STATUS_OK; /* nothing has come since */
    struct cohort place = {.first = 0};
    find_place(halving, ordinal - 1, &place);
    TRY(add_start(halving, ordinal, err));
    struct cohort *cohort = find_cohort(halving, place.first);
    if (cohort == NULL || place.first + place.runs <= ordinal)
        return STATUS_OK;
    cohort->runs = ordinal - cohort->first;
    if (cohort->rung == 0)
        cohort->awaited = cohort->runs;
    return settle(halving, cohort, err);
}
