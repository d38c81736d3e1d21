// SPDX-License-Identifier: GPL-3.0-or-later
/* From a template to a batch script, from a file to its documents, from what sbatch says to a job's id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <string.h>

#include "clients/cli/deploy.h"

#define HEAD "#!/bin/sh\n#SBATCH --time=1:00\n"

/* What becomes of the template with sweep k3v9x2aa; an error's place and text otherwise. */
static void expect(const char *template_text, int64_t nodes, const char *wanted)
{
    struct deploy_template template;
    struct deploy_place place = {0, 0};
    struct buffer made CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    if (deploy_template_read(template_text, strlen(template_text), &template, &place, &err) == STATUS_OK)
        deploy_template_write(&template, "k3v9x2aa", nodes, &made);
    else
        buffer_printf(&made, "%zu:%zu: %s", place.line, place.column, err.text);
    if (strncmp(buffer_text(&made), wanted, strlen(wanted)) != 0)
        assert_string_equal(buffer_text(&made), wanted);
}

static void agent_lines_keep_everything_but_the_sweep(void **state)
{
    (void)state;
    static const struct {
        const char *line, *wanted;
    } rows[] = {
        {"besom agent SWEEP", "besom agent k3v9x2aa"},
        {"besom agent", "besom agent k3v9x2aa"},
        {"wandb agent me/project/abc --count 3", "besom agent k3v9x2aa --count 3"},
        {"wandb agent --count 3 -p vision abc", "besom agent --count 3 -p vision k3v9x2aa"},
        {"python3 -m wandb agent abc", "besom agent k3v9x2aa"},
        {"exec srun -n1 /opt/b/besom agent -j4 --gpus=auto \"$SWEEP\" >log 2>&1 &",
         "exec srun -n1 /opt/b/besom agent -j4 --gpus=auto k3v9x2aa >log 2>&1 &"},
        {"besom agent > log $SWEEP", "besom agent > log k3v9x2aa"},
        {"besom agent 2>&1", "besom agent k3v9x2aa 2>&1"},
        {"\"$BIN/besom-agent\" -q -f --no-tls 'a b'", "\"$BIN/besom-agent\" -q -f --no-tls k3v9x2aa"},
        {"besom agent --run-dir \"$D/a b\" ${S:-x y} -- python t.py",
         "besom agent --run-dir \"$D/a b\" k3v9x2aa -- "
         "python t.py"},
        {"besom agent --count 1 -- python t.py", "besom agent k3v9x2aa --count 1 -- python t.py"},
        {"besom agent $(cat id file) | tee log", "besom agent k3v9x2aa | tee log"},
        {"besom agent \\\n    --gpus auto \\\n    \"$SWEEP\" # why\ntrue",
         "besom agent \\\n    --gpus auto \\\n    k3v9x2aa # why\ntrue"},
        {"besom agent A\nbesom agent B", "besom agent A\nbesom agent k3v9x2aa"},
        {"besom agent A # besom: agent\nbesom agent B", "besom agent k3v9x2aa # besom: agent\nbesom agent B"},
        {"if true; then\n  # besom: agent \nfi", "if true; then\n  besom agent k3v9x2aa\nfi"},
        {"besom agent A\necho besom agent has ended\n# besom agent B",
         "besom agent k3v9x2aa\necho besom agent has "
         "ended\n# besom agent B"},
        {"cat <<X\ndon't\nX\nbesom agent A", "cat <<X\ndon't\nX\nbesom agent k3v9x2aa"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer template CLEANUP(buffer_free) = BUFFER_INIT, wanted CLEANUP(buffer_free) = BUFFER_INIT;
        buffer_printf(&template, HEAD "%s\n", rows[i].line);
        buffer_printf(&wanted, HEAD "%s\n", rows[i].wanted);
        expect(buffer_text(&template), 0, buffer_text(&wanted));
    }
}

static void templates_without_one_place_are_refused(void **state)
{
    (void)state;
    expect(HEAD "true\n", 0, "1:1: no line runs");
    expect(HEAD "bash -c 'besom agent X'\n", 0, "1:1: no line runs");
    expect(HEAD "# besom: agent\n  besom agent X\n", 0, "4:3: this runs an agent, and line 3 is marked");
    expect(HEAD "# besom: agent\n# besom: agent\n", 0, "4:1: a second");
    expect(HEAD "sleep 1 # besom: agent\n", 0, "3:9: '# besom: agent' stands behind");
    expect("besom agent X\n", 0, "1:1: a batch script begins");
    expect("", 0, "1:1: a batch script begins");
    expect("#!/bin/sh\r\nbesom agent X\r\n", 0, "1:10: a line break of DOS");
}

static void nodes_become_an_array(void **state)
{
    (void)state;
    expect(HEAD "# x\n#SBATCH --gpus=1\n\nbesom agent X", 4,
           HEAD "# x\n#SBATCH --gpus=1\n#SBATCH --array=0-3\n\nbesom agent k3v9x2aa");
    expect("#!/bin/sh\nbesom agent X", 1, "#!/bin/sh\n#SBATCH --array=0-0\nbesom agent k3v9x2aa");
    expect("#!/bin/sh\ntrue\n#SBATCH --late\nbesom agent X", 1,
           "#!/bin/sh\n#SBATCH --array=0-0\ntrue\n#SBATCH --late\nbesom agent k3v9x2aa");
}

static void arrays_of_a_template_are_seen(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
        int64_t tasks;
    } rows[] = {{"#!/bin/sh\n#SBATCH --array=0-15%4\nbesom agent", 2, 4},
                {"#!/bin/sh\n\n#SBATCH -J x --array 0-9 # ten\nbesom agent", 3, 10},
                {"#!/bin/sh\n#SBATCH -a1,3,5-9:2\nbesom agent", 2, 5},
                {"#!/bin/sh\n#SBATCH -a many\nbesom agent", 2, 0},
                {"#!/bin/sh\n#SBATCH --account=x\nbesom agent\n#SBATCH --array=0-3", 0, 0},
                {"#!/bin/sh\n##SBATCH --array=0-3\nbesom agent", 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct deploy_template template;
        struct deploy_place place;
        struct err err = ERR_INIT;
        assert_int_equal(deploy_template_read(rows[i].text, strlen(rows[i].text), &template, &place, &err),
                         STATUS_OK);
        assert_int_equal(template.array_line, rows[i].line);
        assert_int_equal(template.array_tasks, rows[i].tasks);
    }
    static const char *const wrong[] = {"", "0-", "5-1", "0-3:0", "0-3%0", "1,,2", "x", "1;2", "-4"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(deploy_array_tasks(wrong[i], strlen(wrong[i])), 0);
}

static void any_cut_of_a_template_is_read_safely(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "besom agent \\\n $(a (b) ${c}) `d` 'e' \"f\\\"\" 2>&1 >g # besom: agent\n";
    for (size_t length = 0; length < sizeof text; length++) {
        char copy[sizeof text];
        struct deploy_template template;
        struct deploy_place place;
        struct err err = ERR_INIT;
        struct buffer made CLEANUP(buffer_free) = BUFFER_INIT;
        memcpy(copy, text, length);
        if (deploy_template_read(copy, length, &template, &place, &err) == STATUS_OK)
            deploy_template_write(&template, "x", 2, &made);
    }
}

static void documents_are_parted_by_marks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count, last_start, last_lines;
    } rows[] = {{"", 0, 0, 0},
                {"# x\n---\n...\n", 0, 0, 0},
                {"a: 1", 1, 0, 0},
                {"# x\n---\na: 1\n", 1, 0, 0},
                {"---\n---\n# x\n---\na: 1\n---\n", 1, 12, 3},
                {"a: 1\n---\nb: 2\n", 2, 5, 1},
                {"a: 1\n--- {b: 2}\n--- # nothing\n", 2, 5, 1},
                {"a: |\n  ---\n---b\n ---\n", 1, 0, 0},
                {"%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 1", 2, 23, 4}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct deploy_document found[4];
        size_t count = deploy_documents_find(rows[i].text, strlen(rows[i].text), found, ARRAY_LEN(found));
        assert_int_equal(count, rows[i].count);
        if (count == 0)
            continue;
        assert_int_equal(found[count - 1].start, rows[i].last_start);
        assert_int_equal(found[count - 1].lines_before, rows[i].last_lines);
    }
}

static void job_id_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *printed, *id;
    } rows[] = {{"123\n", "123"}, {"123;cluster\n", "123"}, {"sbatch: 12 is a warning\n77", "77"}, {"", ""},
                {"12x\n", ""},    {"sbatch: error\n", ""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t start = 0, length = deploy_job_id(rows[i].printed, &start);
        assert_int_equal(length, strlen(rows[i].id));
        assert_memory_equal(rows[i].printed + start, rows[i].id, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_lines_keep_everything_but_the_sweep),
        cmocka_unit_test(templates_without_one_place_are_refused),
        cmocka_unit_test(nodes_become_an_array),
        cmocka_unit_test(arrays_of_a_template_are_seen),
        cmocka_unit_test(any_cut_of_a_template_is_read_safely),
        cmocka_unit_test(documents_are_parted_by_marks),
        cmocka_unit_test(job_id_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
