// SPDX-License-Identifier: Apache-2.0
// GPUs: lists as people write them, machines as folders of this test, and who gets which.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#include "base/file.h"
#include "base/macros.h"
#include "clients/agent/gpus.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/besom-gpus-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-r", root, (char *)NULL);
        _exit(1);
    }
    return waitpid(pid, &status, 0) != pid || status != 0;
}

static void put(const char *name, const char *text)
{
    char path[256];
    struct err err = ERR_INIT;
    snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_dirs(path, 0700, &err), STATUS_OK);
    *slash = '/';
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0700, &err), STATUS_OK);
}

/* The list as one text, "!" when it was refused. */
static const char *shown(enum status status, struct gpu_list *list)
{
    static char text[8192];
    if (status != STATUS_OK)
        return "!";
    char *joined = gpu_list_join(list, 0, list->count);
    assert_non_null(joined);
    snprintf(text, sizeof text, "%s", joined);
    free(joined);
    gpu_list_free(list);
    return text;
}

static const char *parsed(const char *text)
{
    struct gpu_list list;
    struct err err = ERR_INIT;
    enum status status = gpu_list_parse(text, &list, &err);
    return shown(status, &list);
}

static const char *detected(const char *cuda, const char *rocr)
{
    struct gpu_list list;
    struct err err = ERR_INIT;
    const struct gpu_sources sources = {
        .cuda_visible = cuda, .root = root, .ask_nvidia_smi = true, .rocr_visible = rocr};
    enum status status = gpu_list_detect(&sources, &list, &err);
    return shown(status, &list);
}

static void lists_are_read(void **state)
{
    (void)state;
    assert_string_equal(parsed("0"), "0");
    assert_string_equal(parsed("0,1,2,3"), "0,1,2,3");
    assert_string_equal(parsed("0-3"), "0,1,2,3");
    assert_string_equal(parsed("6,0-1"), "6,0,1");
    assert_string_equal(parsed("GPU-8932f937-d72c,MIG-GPU-1/1/0"), "GPU-8932f937-d72c,MIG-GPU-1/1/0");
    const char *const wrong[] = {"",   ",",   "0,",  ",0",   "0,0",    "0-2,1", "3-0", "-1",
                                 "0-", "0 1", "0x1", "1024", "0-1024", "a b",   "0;1", "0--1"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_string_equal(parsed(wrong[i]), "!");
}

static void the_environment_goes_first(void **state)
{
    (void)state;
    put("proc/driver/nvidia/gpus/0000:01:00.0/information", "");
    assert_string_equal(detected("4,5", "0"), "4,5");
    assert_string_equal(detected("GPU-1,GPU-2", NULL), "GPU-1,GPU-2");
    assert_string_equal(detected("2,-1,3", NULL), "2");
    assert_string_equal(detected("", NULL), "!");
    assert_string_equal(detected("-1", NULL), "!");
    assert_string_equal(detected(",0", NULL), "!");
    assert_string_equal(detected("NoDevFiles", NULL), "!");
}

static void machines_are_looked_at(void **state)
{
    (void)state;
    assert_string_equal(detected(NULL, NULL), "!");
    put("sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 64\nsimd_count 0\n");
    assert_string_equal(detected(NULL, NULL), "!");
    put("sys/class/kfd/kfd/topology/nodes/1/properties", "cpu_cores_count 0\nsimd_count 256\n");
    put("sys/class/kfd/kfd/topology/nodes/2/properties", "cpu_cores_count 0\nsimd_count 256\n");
    assert_string_equal(detected(NULL, NULL), "0,1");
    assert_string_equal(detected(NULL, "3,GPU-ab,5"), "3,GPU-ab,5");
    assert_true(gpus_are_of_amd(root));
    assert_string_equal(detected(NULL, ""), "!");
    put("nvidia-smi",
        "#!/bin/sh\n[ \"$1\" = -L ] && echo 'GPU 0: A (UUID: GPU-1)' && echo '  MIG 1g' && echo "
        "'GPU 1: A (UUID: GPU-2)' && echo 'GPU 2: A' && echo 'GPU 3: A'\n");
    setenv("PATH", root, 1);
    assert_string_equal(detected(NULL, NULL), "0,1,2,3");
    put("nvidia-smi", "#!/bin/sh\necho 'GPU 0: A'\nexit 9\n");
    assert_string_equal(detected(NULL, NULL), "0,1");
    put("proc/driver/nvidia/gpus/0000:01:00.0/information", "");
    put("proc/driver/nvidia/gpus/0000:02:00.0/information", "");
    put("proc/driver/nvidia/gpus/0000:03:00.0/information", "");
    assert_string_equal(detected(NULL, NULL), "0,1,2");
    assert_false(gpus_are_of_amd(root));
}

static void amd_numbers_what_is_left(void **state)
{
    (void)state;
    char *nvidia = gpus_for_cuda("2,GPU-ab", false), *amd = gpus_for_cuda("2,GPU-ab", true),
         *one = gpus_for_cuda("7", true);
    assert_string_equal(nvidia, "2,GPU-ab");
    assert_string_equal(amd, "0,1");
    assert_string_equal(one, "0");
    free(nvidia);
    free(amd);
    free(one);
}

static void the_same_gpu_has_several_names(void **state)
{
    (void)state;
    assert_true(gpu_may_be_used("0,1", "1"));
    assert_false(gpu_may_be_used("0,1", "2"));
    assert_false(gpu_may_be_used("10", "1"));
    assert_true(gpu_may_be_used("GPU-8932f937-d72c", "GPU-8932f937"));
    assert_true(gpu_may_be_used("GPU-89", "GPU-8932f937"));
    assert_false(gpu_may_be_used("GPU-89", "GPU-1"));
    assert_true(gpu_may_be_used("0", "GPU-1"));
    assert_true(gpu_may_be_used("GPU-1", "0"));
    assert_true(gpu_may_be_used(NULL, "0"));
    assert_false(gpu_may_be_used("", "0"));
}

static void choose(const char *list, size_t slot, size_t wanted, const char *expected, size_t holder_count,
                   const char *const *holders)
{
    struct gpu_list gpus;
    struct err err = ERR_INIT;
    assert_int_equal(gpu_list_parse(list, &gpus, &err), STATUS_OK);
    char *chosen = gpu_list_choose(&gpus, slot, wanted, holders, holder_count);
    if (expected == NULL)
        assert_null(chosen);
    else
        assert_string_equal(chosen, expected);
    free(chosen);
    gpu_list_free(&gpus);
}

static void a_slot_has_its_block_when_it_is_free(void **state)
{
    (void)state;
    const char *const pair[] = {"0,1"}, *const split[] = {"1", "2"}, *const any[] = {NULL},
                      *const all[] = {"0,1", "2,3"};
    choose("0-3", 0, 1, "0", 0, NULL);
    choose("0-3", 1, 2, "2,3", 0, NULL);
    choose("GPU-a,GPU-b", 1, 1, "GPU-b", 0, NULL);
    choose("0-3", 0, 2, "2,3", 1, pair);
    choose("0-3", 1, 1, "2", 1, pair);
    choose("0-3", 0, 2, "0,3", 2, split);
    choose("0-3", 7, 1, "0", 0, NULL);
    choose("0-3", 0, 1, NULL, 2, all);
    choose("0-3", 0, 3, NULL, 1, pair);
    choose("0-3", 3, 1, NULL, 1, any);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test_setup_teardown(the_environment_goes_first, make_root, remove_root),
        cmocka_unit_test_setup_teardown(machines_are_looked_at, make_root, remove_root),
        cmocka_unit_test(amd_numbers_what_is_left),
        cmocka_unit_test(the_same_gpu_has_several_names),
        cmocka_unit_test(a_slot_has_its_block_when_it_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
