// SPDX-License-Identifier: GPL-3.0-or-later
#include "format.h"

#include <float.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define SECOND_MS 1000
#define MINUTE_MS 60000
#define HOUR_MS 3600000
#define DAY_MS 86400000

const char *format_number(double value, char text[FORMAT_SIZE])
{
    if (isnan(value))
        snprintf(text, FORMAT_SIZE, "nan");
    else if (fabs(value) < 1e15 && value == trunc(value))
        snprintf(text, FORMAT_SIZE, "%.0f", value == 0 ? 0.0 : value);
    else
        snprintf(text, FORMAT_SIZE, "%.6g", value);
    return text;
}

const char *format_short(double value, char text[FORMAT_SIZE])
{
    (void)snprintf(text, FORMAT_SIZE, "%.2g", value);
    return text;
}

const char *format_exact(double value, char text[FORMAT_SIZE])
{
    if (isnan(value) || isinf(value)) {
        snprintf(text, FORMAT_SIZE, "%s", isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return text;
    }
    if (fabs(value) < 1e15 && value == trunc(value)) {
        snprintf(text, FORMAT_SIZE, "%.0f", value);
        return text;
    }
    /* %g drops zeros at the end, so 15 digits are the fewest unless the number has lost precision */
    int precision = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    do
        snprintf(text, FORMAT_SIZE, "%.*g", precision, value);
    while (strtod(text, NULL) != value && ++precision <= DBL_DECIMAL_DIG);
    return text;
}

const char *format_time(int64_t time_us, char text[FORMAT_SIZE])
{
    int64_t second = time_us / 1000000, rest = time_us % 1000000;
    if (rest < 0) {
        second--;
        rest += 1000000;
    }
    time_t time = (time_t)second;
    struct tm parts;
    *text = '\0';
    if (time_us == 0 || gmtime_r(&time, &parts) == NULL)
        return text;
    size_t length = strftime(text, FORMAT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, FORMAT_SIZE - length, ".%06dZ", (int)rest);
    return text;
}

const char *format_duration(int64_t ms, char text[FORMAT_SIZE])
{
    if (ms < 0)
        ms = 0;
    if (ms < SECOND_MS)
        snprintf(text, FORMAT_SIZE, "%dms", (int)ms);
    else if (ms < MINUTE_MS)
        snprintf(text, FORMAT_SIZE, "%d.%ds", (int)(ms / SECOND_MS), (int)(ms % SECOND_MS / 100));
    else if (ms < HOUR_MS)
        snprintf(text, FORMAT_SIZE, "%dm%02ds", (int)(ms / MINUTE_MS), (int)(ms % MINUTE_MS / SECOND_MS));
    else if (ms < DAY_MS)
        snprintf(text, FORMAT_SIZE, "%dh%02dm", (int)(ms / HOUR_MS), (int)(ms % HOUR_MS / MINUTE_MS));
    else
        snprintf(text, FORMAT_SIZE, "%lldd%02dh", (long long)(ms / DAY_MS), (int)(ms % DAY_MS / HOUR_MS));
    return text;
}

const char *format_ago(int64_t then_us, int64_t now_us, char text[FORMAT_SIZE])
{
    char duration[FORMAT_SIZE];
    if (then_us == 0)
        return "-";
    snprintf(text, FORMAT_SIZE, "%.20s ago",
             format_duration((now_us - then_us) / 1000 / 1000 * 1000, duration));
    if (now_us - then_us < 1000000)
        snprintf(text, FORMAT_SIZE, "now");
    return text;
}

const char *format_percent(int64_t done, int64_t total, char text[FORMAT_SIZE])
{
    double percent = total > 0 ? floor(100.0 * (double)done / (double)total) : 0;
    snprintf(text, FORMAT_SIZE, "%.0f%%", percent);
    return text;
}

void text_prepare(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* Bytes of the next character (at least 1) and the columns it takes; 0 bytes at the end. */
static size_t next_character(const char *text, size_t *columns)
{
    wchar_t wide;
    mbstate_t state;
    memset(&state, 0, sizeof state);
    size_t size = mbrtowc(&wide, text, strlen(text), &state);
    *columns = 1;
    if (*text == '\0')
        return 0;
    if (size == (size_t)-1 || size == (size_t)-2)
        return 1;
    int width = wcwidth(wide);
    *columns = width < 0 ? 1 : (size_t)width;
    return size;
}

size_t text_width(const char *text)
{
    size_t total = 0, columns = 0;
    for (size_t size = next_character(text, &columns); size > 0; size = next_character(text, &columns)) {
        total += columns;
        text += size;
    }
    return total;
}

void text_cut(const char *text, size_t width, struct buffer *out)
{
    if (text_width(text) <= width) {
        buffer_puts(out, text);
        return;
    }
    size_t used = 0, columns = 0;
    for (size_t size = next_character(text, &columns); size > 0 && used + columns + 1 <= width;
         size = next_character(text, &columns)) {
        buffer_append(out, text, size);
        used += columns;
        text += size;
    }
    if (width > 0)
        buffer_puts(out, "…");
    /* a wide character that did not fit leaves a gap */
    for (used++; used < width; used++)
        buffer_putc(out, ' ');
}

static bool is_printable(const char *text, size_t size)
{
    wchar_t wide;
    mbstate_t state;
    memset(&state, 0, sizeof state);
    return mbrtowc(&wide, text, size, &state) == size && wcwidth(wide) >= 0;
}

const char *text_clean(struct arena *arena, const char *text)
{
    struct buffer clean CLEANUP(buffer_free) = BUFFER_INIT;
    size_t columns;
    for (size_t size = next_character(text, &columns); size > 0; size = next_character(text, &columns)) {
        if (is_printable(text, size))
            buffer_append(&clean, text, size);
        else
            buffer_putc(&clean, *text == '\n' || *text == '\t' ? ' ' : '?');
        text += size;
    }
    const char *copy = arena_strdup(arena, buffer_text(&clean));
    return copy != NULL ? copy : "";
}

void text_shell_quote(const char *text, struct buffer *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%";
    if (*text != '\0' && strspn(text, plain) == strlen(text)) {
        buffer_puts(out, text);
        return;
    }
    buffer_putc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buffer_puts(out, "'\\''");
        else
            buffer_putc(out, *text);
    }
    buffer_putc(out, '\'');
}
