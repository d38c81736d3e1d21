// SPDX-License-Identifier: Apache-2.0
#include "facts.h"

#include <stdlib.h>
#include <string.h>

static size_t make_key(char out[FACT_NAME_MAX + 2], enum fact_kind kind, const char *name, size_t length)
{
    out[0] = (char)('0' + (int)kind);
    memcpy(out + 1, name, length);
    return length + 1;
}

static void forget_value(struct facts *facts, struct fact *fact)
{
    if (fact->value_json == NULL)
        return;
    facts->bytes -= fact->length;
    facts->summaries -= fact->kind == FACT_SUMMARY;
    free(fact->value_json);
    fact->value_json = NULL;
}

static enum status grow(struct facts *facts, struct err *err)
{
    size_t wanted = facts->capacity == 0 ? 16 : facts->capacity * 2;
    struct fact *grown = realloc(facts->facts, wanted * sizeof *grown);
    if (grown == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    facts->facts = grown;
    size_t *waiting = realloc(facts->waiting, wanted * sizeof *waiting);
    if (waiting == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    facts->waiting = waiting;
    facts->capacity = wanted;
    return STATUS_OK;
}

/* Its place, made when there is none. */
static enum status find_fact(struct facts *facts, enum fact_kind kind, const char *name, size_t *index,
                             struct err *err)
{
    char key[FACT_NAME_MAX + 2];
    size_t length = make_key(key, kind, name, strlen(name));
    *index = name_table_find(&facts->names, key, length);
    if (*index != NAME_NONE)
        return STATUS_OK;
    if (facts->names.count >= FACTS_MAX)
        return err_set(err, STATUS_INVALID, "\"%.40s\": a run may say %d things of itself", name, FACTS_MAX);
    if (facts->names.count == facts->capacity)
        TRY(grow(facts, err));
    bool added;
    *index = name_table_put(&facts->names, key, length, &added);
    facts->facts[*index] = (struct fact){.kind = kind};
    return STATUS_OK;
}

enum status facts_put(struct facts *facts, enum fact_kind kind, const char *name, const char *value_json,
                      struct err *err)
{
    size_t index, length = strlen(value_json);
    if (*name == '\0' || strlen(name) > FACT_NAME_MAX)
        return err_set(err, STATUS_INVALID, "a name must have 1 to %d bytes", FACT_NAME_MAX);
    if (length > FACT_VALUE_MAX)
        return err_set(err, STATUS_INVALID, "\"%.40s\" is larger than %d KiB", name, FACT_VALUE_MAX >> 10);
    TRY(find_fact(facts, kind, name, &index, err));
    struct fact *fact = &facts->facts[index];
    char *copy = strdup(value_json);
    if (copy == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    forget_value(facts, fact);
    fact->value_json = copy;
    fact->length = length;
    facts->bytes += length;
    facts->summaries += kind == FACT_SUMMARY;
    if (!fact->listed)
        facts->waiting[facts->waiting_count++] = index;
    fact->listed = true;
    return STATUS_OK;
}

void facts_drop_summary(struct facts *facts, const char *name, size_t length)
{
    char key[FACT_NAME_MAX + 2];
    if (facts->summaries == 0 || length > FACT_NAME_MAX)
        return;
    size_t index = name_table_find(&facts->names, key, make_key(key, FACT_SUMMARY, name, length));
    if (index != NAME_NONE)
        forget_value(facts, &facts->facts[index]);
}

const char *facts_name(const struct facts *facts, size_t index)
{
    return facts->names.names[index].text + 1;
}

void facts_forget(struct facts *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fact *fact = &facts->facts[facts->waiting[i]];
        forget_value(facts, fact);
        fact->listed = false;
    }
    facts->waiting_count -= count;
    if (count > 0)
        memmove(facts->waiting, facts->waiting + count, facts->waiting_count * sizeof *facts->waiting);
}

void facts_free(struct facts *facts)
{
    facts_forget(facts, facts->waiting_count);
    free(facts->facts);
    free(facts->waiting);
    name_table_free(&facts->names);
    *facts = (struct facts){.bytes = 0};
}
