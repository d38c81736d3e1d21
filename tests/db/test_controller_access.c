// SPDX-License-Identifier: GPL-3.0-or-later
/* Tokens of the database: what a check costs, how long what was read counts, and limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "controller_fixture.h"
#include "db/store/tokens.h"
#include "services/common/roles.h"
#include "services/controller/access.h"

#define CHECKS 20000
#define COUNTS_MS 5000 /* what access.h promises */
#define FILE_TOKEN "0123456789abcdef0123456789abcdef-key"

struct gatehouse {
    struct store *store;
    struct token_set *files;
    struct token_keys *keys;
    struct gate *gate;
    struct access *access;
};

static void write_secret(char path[32])
{
    (void)snprintf(path, 32, "/tmp/besom-access-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, FILE_TOKEN, strlen(FILE_TOKEN)), (ssize_t)strlen(FILE_TOKEN));
    close(fd);
}

/* `limits` has rate, burst and open. */
static void begin_with(struct gatehouse *house, struct database *database, struct access_options limits)
{
    char path[32];
    write_secret(path);
    assert_ok(token_set_new(&house->files, &test_err));
    assert_ok(token_set_add_file(house->files, path, ROLE_ADMIN, &test_err));
    assert_ok(token_keys_new(&house->keys, &test_err));
    assert_ok(token_keys_add_file(house->keys, path, &test_err));
    unlink(path);
    const struct store_options store_options = {.url = database->url, .pool_size = 4, .retry_ms = 500};
    assert_ok(store_open(&store_options, &house->store, &test_err));
    assert_ok(gate_new(house->store, &house->gate, &test_err));
    const struct access_options options = {.store = house->store,
                                           .gate = house->gate,
                                           .files = house->files,
                                           .keys = house->keys,
                                           .rate = limits.rate,
                                           .burst = limits.burst,
                                           .open = limits.open};
    assert_ok(access_start(&options, &house->access, &test_err));
}

static void begin(struct gatehouse *house, struct database *database, int64_t rate, int64_t burst)
{
    begin_with(house, database, (struct access_options){.rate = rate, .burst = burst});
}

static void end(struct gatehouse *house)
{
    access_stop(house->access);
    gate_free(house->gate);
    token_keys_free(house->keys);
    token_set_free(house->files);
    store_close(house->store);
}

/* Makes a token as CreateToken does, as another replica would. */
static void make(struct gatehouse *house, struct database *database, const char *token_id, const char *role,
                 int64_t life_ms, char text[TOKEN_TEXT_SIZE])
{
    unsigned char hash[TOKEN_HASH_SIZE];
    char key_id[TOKEN_KEY_ID_SIZE];
    token_text_make(house->keys, token_id, text, hash, key_id);
    const struct store_token_new token = {.token_id = token_id,
                                          .key_id = key_id,
                                          .name = "n",
                                          .role = role,
                                          .project = "p",
                                          .sweep_id = "",
                                          .created_by = "test",
                                          .hash = hash,
                                          .hash_length = sizeof hash,
                                          .life_ms = life_ms};
    struct session *session = session_open(database);
    assert_ok(store_create_token(session_tx(session), &token, &test_err));
    assert_ok(session_commit(session));
    session_close(session);
}

static enum status check(struct gatehouse *house, const char *text, struct rpc_identity *identity)
{
    struct err err = ERR_INIT;
    *identity = (struct rpc_identity){.access = 0};
    enum status status = access_check(house->access, text, NULL, ROLES_READ, identity, &err);
    assert_true(text == NULL || status == STATUS_OK || strstr(err.text, text) == NULL);
    return status;
}

/* How long until a check says so. */
static int64_t await(struct gatehouse *house, const char *text, enum status wanted)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    struct rpc_identity identity;
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    while (check(house, text, &identity) != wanted) {
        assert_true(clock_monotonic_ms(&clock_system) - begin_ms < 30000);
        nanosleep(&pause, NULL);
    }
    return clock_monotonic_ms(&clock_system) - begin_ms;
}

static void a_token_in_use_costs_no_query(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    struct rpc_identity identity;
    char text[TOKEN_TEXT_SIZE];
    begin(&house, database, 0, 0);
    make(&house, database, "abcd1234", "reader", 0, text);
    int64_t begin_us = clock_monotonic_us(&clock_system);
    uint64_t before = store_stats(house.store).transactions;
    for (int i = 0; i < CHECKS; i++)
        assert_int_equal(check(&house, text, &identity), STATUS_OK);
    int64_t spent_us = clock_monotonic_us(&clock_system) - begin_us;
    assert_string_equal(identity.subject, "abcd1234/n");
    assert_string_equal(identity.project, "p");
    assert_int_equal(identity.access, ROLE_READER);
    assert_int_equal(access_stats(house.access).reads, 1);
    /* the one, and looks at all tokens every 1.5 s */
    assert_true(store_stats(house.store).transactions - before <= 2 + (uint64_t)spent_us / 1500000);
    print_message("a check of a token in use: %lld ns\n", (long long)(spent_us * 1000 / CHECKS));
    end(&house);
}

/* Nobody who made up a text, or was given one for another key, makes the controller ask its database. */
static void strangers_reach_no_database(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    struct rpc_identity identity;
    char text[TOKEN_TEXT_SIZE];
    begin(&house, database, 0, 0);
    uint64_t before = store_stats(house.store).transactions;
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof text, "besom_abcd%04d_%064d", i, i);
        assert_int_equal(check(&house, text, &identity), STATUS_UNAUTHENTICATED);
    }
    assert_int_equal(check(&house, NULL, &identity), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(&house, "besom_", &identity), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(&house, "a wrong one of a file", &identity), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(&house, FILE_TOKEN, &identity), STATUS_OK);
    assert_int_equal(store_stats(house.store).transactions, before);
    assert_int_equal(access_stats(house.access).reads, 0);
    assert_int_equal(access_stats(house.access).refused, 1003);
    /* one with our tag that is in no database is read once */
    unsigned char hash[TOKEN_HASH_SIZE];
    char key_id[TOKEN_KEY_ID_SIZE];
    token_text_make(house.keys, "gone0000", text, hash, key_id);
    for (int i = 0; i < 100; i++)
        assert_int_equal(check(&house, text, &identity), STATUS_UNAUTHENTICATED);
    assert_int_equal(access_stats(house.access).reads, 1);
    end(&house);
}

static void what_changes_elsewhere_holds_in_time(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    struct rpc_identity identity;
    char revoked[TOKEN_TEXT_SIZE], deleted[TOKEN_TEXT_SIZE], expired[TOKEN_TEXT_SIZE];
    begin(&house, database, 0, 0);
    make(&house, database, "revoked0", "admin", 0, revoked);
    make(&house, database, "deleted0", "admin", 0, deleted);
    make(&house, database, "expired0", "admin", 700, expired);
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    assert_int_equal(check(&house, revoked, &identity), STATUS_OK);
    assert_int_equal(check(&house, deleted, &identity), STATUS_OK);
    assert_int_equal(check(&house, expired, &identity), STATUS_OK);
    (void)await(&house, expired, STATUS_UNAUTHENTICATED);
    int64_t lived_ms = clock_monotonic_ms(&clock_system) - begin_ms;
    if (lived_ms < 400 || lived_ms > 1100)
        fail_msg("a token of 700 ms counted for %lld ms", (long long)lived_ms);
    database_execute(database->url, "UPDATE besom.tokens SET revoked_at = now() WHERE token_id = 'revoked0';"
                                    "DELETE FROM besom.tokens WHERE token_id = 'deleted0'");
    assert_true(await(&house, revoked, STATUS_UNAUTHENTICATED) < COUNTS_MS);
    assert_true(await(&house, deleted, STATUS_UNAUTHENTICATED) < COUNTS_MS);
    end(&house);
}

/* What was read counts on for its time and no longer; who is in a file needs no database. */
static void an_outage_lets_nobody_stay_for_ever(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    struct rpc_identity identity;
    char text[TOKEN_TEXT_SIZE];
    begin(&house, database, 0, 0);
    make(&house, database, "abcd1234", "writer", 0, text);
    assert_int_equal(check(&house, text, &identity), STATUS_OK);
    database_cut(database);
    int64_t counted_ms = await(&house, text, STATUS_UNAVAILABLE);
    if (counted_ms > COUNTS_MS + 2000) /* the last one waits for the database as a transaction does */
        fail_msg("it counted for %lld ms", (long long)counted_ms);
    assert_int_equal(check(&house, FILE_TOKEN, &identity), STATUS_OK);
    database_mend(database);
    (void)await(&house, text, STATUS_OK);
    end(&house);
}

static void each_token_has_its_own_limit(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    struct rpc_identity identity;
    char greedy[TOKEN_TEXT_SIZE], modest[TOKEN_TEXT_SIZE], agent[TOKEN_TEXT_SIZE];
    begin(&house, database, 2, 5);
    make(&house, database, "greedy00", "reader", 0, greedy);
    make(&house, database, "modest00", "reader", 0, modest);
    make(&house, database, "agent000", "agent", 0, agent);
    for (int i = 0; i < 5; i++)
        assert_int_equal(check(&house, greedy, &identity), STATUS_OK);
    assert_int_equal(check(&house, greedy, &identity), STATUS_EXHAUSTED);
    assert_true(identity.retry_ms > 0 && identity.retry_ms <= 501);
    assert_int_equal(check(&house, modest, &identity), STATUS_OK);
    assert_int_equal(check(&house, agent, &identity), STATUS_DENIED);
    for (int i = 0; i < 5; i++)
        assert_int_equal(check(&house, FILE_TOKEN, &identity), STATUS_OK);
    assert_int_equal(check(&house, FILE_TOKEN, &identity), STATUS_EXHAUSTED);
    assert_int_equal(access_stats(house.access).limited, 2);
    /* one call each half second, however long the pause */
    assert_true(await(&house, greedy, STATUS_OK) <= 1000);
    end(&house);
}

/* Who is refused has taken no place, and who leaves gives one back. */
static void each_token_has_its_own_places(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    struct rpc_identity identity, inside;
    char greedy[TOKEN_TEXT_SIZE], modest[TOKEN_TEXT_SIZE], agent[TOKEN_TEXT_SIZE];
    begin_with(&house, database, (struct access_options){.open = 2});
    make(&house, database, "greedy00", "reader", 0, greedy);
    make(&house, database, "modest00", "reader", 0, modest);
    make(&house, database, "agent000", "agent", 0, agent);
    for (int i = 0; i < 3; i++)
        assert_int_equal(check(&house, agent, &identity), STATUS_DENIED);
    for (const char *const *text = (const char *const[]){greedy, FILE_TOKEN, NULL}; *text != NULL; text++) {
        assert_int_equal(check(&house, *text, &inside), STATUS_OK);
        assert_int_equal(check(&house, *text, &identity), STATUS_OK);
        assert_int_equal(check(&house, *text, &identity), STATUS_EXHAUSTED);
        assert_true(identity.retry_ms > 0);
        assert_int_equal(check(&house, modest, &identity), STATUS_OK);
        access_release(house.access, &identity);
        access_release(house.access, &inside);
        assert_int_equal(check(&house, *text, &identity), STATUS_OK);
        assert_int_equal(check(&house, *text, &identity), STATUS_EXHAUSTED);
    }
    end(&house);
}

struct crowd {
    struct gatehouse *house;
    const char *const *texts;
    int seed, failures;
};

static void *call_often(void *context)
{
    struct crowd *crowd = context;
    struct rpc_identity identity;
    for (int i = 0; i < 2000; i++) {
        crowd->failures += check(crowd->house, crowd->texts[(i + crowd->seed) % 4], &identity) != STATUS_OK;
        if (i % 50 == 0)
            access_forget(crowd->house->access, "crowd000");
    }
    return NULL;
}

/* Checks, looks and tokens that are to be read again, at once. */
static void many_call_at_once(void **state)
{
    struct database *database = *state;
    struct gatehouse house;
    char made[3][TOKEN_TEXT_SIZE];
    const char *texts[] = {made[0], made[1], made[2], FILE_TOKEN};
    struct crowd crowds[6];
    pthread_t threads[ARRAY_LEN(crowds)];
    begin(&house, database, 1000000, 1000000);
    make(&house, database, "crowd000", "reader", 0, made[0]);
    make(&house, database, "crowd111", "writer", 0, made[1]);
    make(&house, database, "crowd222", "admin", 60000, made[2]);
    for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
        crowds[i] = (struct crowd){&house, texts, (int)i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &crowds[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].failures, 0);
    }
    assert_int_equal(access_stats(house.access).refused, 0);
    end(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_in_use_costs_no_query, database_make, database_drop),
        cmocka_unit_test_setup_teardown(strangers_reach_no_database, database_make, database_drop),
        cmocka_unit_test_setup_teardown(what_changes_elsewhere_holds_in_time, database_make, database_drop),
        cmocka_unit_test_setup_teardown(an_outage_lets_nobody_stay_for_ever, database_make, database_drop),
        cmocka_unit_test_setup_teardown(many_call_at_once, database_make, database_drop),
        cmocka_unit_test_setup_teardown(each_token_has_its_own_limit, database_make, database_drop),
        cmocka_unit_test_setup_teardown(each_token_has_its_own_places, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
