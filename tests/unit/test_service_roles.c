// SPDX-License-Identifier: GPL-3.0-or-later
/* The table of roles and rpcs holds each rpc of the contract, and what is served asks for what it says. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "besom/rpc/descriptor.pb-c.h"
#include "services/common/roles.h"
#include "services/controller/controller.h"
#include "services/scheduler/handler.h"
#include "services/suggestion/handler.h"

extern const unsigned char besom_proto_descriptor_set[];
extern const size_t besom_proto_descriptor_set_size;

static const struct rpc_roles *find(const char *path)
{
    for (size_t i = 0; i < rpc_roles_count; i++)
        if (strcmp(rpc_roles[i].path, path) == 0)
            return &rpc_roles[i];
    return NULL;
}

static size_t check_service(const char *package, const Besom__Rpc__Service *service)
{
    char path[256];
    for (size_t m = 0; m < service->n_method; m++) {
        (void)snprintf(path, sizeof path, "/%s.%s/%s", package, service->name, service->method[m]->name);
        if (find(path) == NULL)
            fail_msg("%s has no row in services/common/roles.h", path);
    }
    return service->n_method;
}

static void each_rpc_has_a_row(void **state)
{
    (void)state;
    size_t count = 0;
    Besom__Rpc__FileSet *set =
        besom__rpc__file_set__unpack(NULL, besom_proto_descriptor_set_size, besom_proto_descriptor_set);
    assert_non_null(set);
    for (size_t f = 0; f < set->n_file; f++) {
        Besom__Rpc__File *file = besom__rpc__file__unpack(NULL, set->file[f].len, set->file[f].data);
        assert_non_null(file);
        for (size_t s = 0; s < file->n_service; s++)
            count += check_service(file->package, file->service[s]);
        besom__rpc__file__free_unpacked(file, NULL);
    }
    besom__rpc__file_set__free_unpacked(set, NULL);
    assert_int_equal(count, rpc_roles_count);
}

static void check_methods(const struct rpc_method *methods, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct rpc_roles *row = find(methods[i].path);
        assert_non_null(row);
        if (methods[i].access == 0 || methods[i].access != row->roles)
            fail_msg("%s is served for other roles than its row says", methods[i].path);
    }
}

static void what_is_served_asks_for_them(void **state)
{
    (void)state;
    check_methods(sweep_service_methods, sweep_service_method_count);
    check_methods(run_service_methods, run_service_method_count);
    check_methods(token_service_methods, token_service_method_count);
    check_methods(suggestion_methods, suggestion_method_count);
    check_methods(scheduler_methods, scheduler_method_count);
    assert_int_equal(sweep_service_method_count + run_service_method_count + token_service_method_count +
                         suggestion_method_count + scheduler_method_count,
                     rpc_roles_count);
}

/* Admins may do what users may, writers what agents and readers may; services stay among themselves. */
static void roles_contain_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < rpc_roles_count; i++) {
        unsigned roles = rpc_roles[i].roles;
        if ((roles & ROLE_SERVICE) != 0) {
            assert_int_equal(roles, ROLE_SERVICE);
            continue;
        }
        assert_true((roles & ROLE_ADMIN) != 0);
        if ((roles & (ROLE_AGENT | ROLE_READER)) != 0)
            assert_true((roles & ROLE_WRITER) != 0);
    }
    unsigned role;
    assert_false(role_from_name("service", &role));
    assert_true(role_from_name("reader", &role) && role == ROLE_READER);
    assert_string_equal(role_name(ROLE_ADMIN | ROLE_WRITER), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rpc_has_a_row),
        cmocka_unit_test(what_is_served_asks_for_them),
        cmocka_unit_test(roles_contain_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
