/* What the Ollama of ollama.c reads in a request, and what it answers.
 *
 * A prompt (the last message) says by its first words what the answer is:
 *
 *   slow N MS        N tokens of 16 bytes, MS milliseconds between them
 *   long N           N bytes, as fast as they are taken
 *   job NAME DIGEST  "done NAME DIGEST COUNT ", which tells whether the prompt came whole
 *   fail             status 500
 *   broken           a piece of an answer, then a line with an error, as when a runner has died; status 500 where not streamed
 *   mute             nothing, until the client leaves
 *   facts, or a document to be summarised: every FACT-1, FACT-2, ... in what the window leaves of the prompt
 *
 * and is echoed where it says none of these. What "slow" and "long" answer are numbers of 15 digits and a space, so that
 * whoever gets them sees a byte that is missing, doubled or another's.
 *
 * A prompt that is longer than num_ctx is cut at its beginning without a word, as the real one does. Tokens are counted as
 * edgehold estimates them.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16, MODEL_BYTES = 64, KEY_BYTES = 16, FIXED_BYTES = 4096, PIECE_BYTES = 4096, ECHO_BYTES = 200, DEEPEST = 3 };

enum manner { FIXED, NUMBERS, REFUSAL, BREAK, SILENCE };

/* A request, and the answer to it. */
struct asked {
    char model[MODEL_BYTES];
    bool is_whole;            /* stream: false */
    int messages, inputs;
    long window;              /* num_ctx */
    char *text, *last;        /* all prompts, in the place of the body; the last one */
    size_t length;
    long tokens;              /* of the prompt, as far as it was read */
};

struct answer {
    enum manner manner;
    char *fixed;              /* of FIXED and BREAK: the text, to be freed */
    unsigned long total, sent;
    unsigned piece, pause;    /* bytes of a piece, milliseconds before the next */
};

/* Where a reader of JSON stands: it knows names, depths and nothing else. */
struct reader {
    char *at, *end, *out;
    int depth;
    char keys[DEEPEST + 1][KEY_BYTES];
};

static bool key_is(const struct reader *reader, int depth, const char *name)
{
    return depth <= DEEPEST && strcmp(reader->keys[depth], name) == 0;
}

/* The UTF-8 of an escape's four digits; half of a pair becomes a question mark. */
static char *put_escaped(char *out, const char *digits)
{
    char four[5] = {digits[0], digits[1], digits[2], digits[3], 0};
    unsigned long code = strtoul(four, NULL, 16);

    if (code >= 0xd800 && code < 0xe000)
        code = '?';
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

/* Reads the string that begins at the quote, and writes it to `out`, which it never overtakes. Returns its end there. */
static char *read_string(struct reader *reader, char *out)
{
    static const char names[] = "nrtbf", values[] = "\n\r\t\b\f";

    for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at != '\\') {
            *out++ = *reader->at;
            continue;
        }
        if (++reader->at >= reader->end)
            break;
        const char *name = strchr(names, *reader->at);
        if (*reader->at == 'u' && reader->end - reader->at > 4) {
            out = put_escaped(out, reader->at + 1);
            reader->at += 4;
        } else {
            *out++ = name != NULL && *name ? values[name - names] : *reader->at;
        }
    }
    reader->at++;
    return out;
}

static bool is_prompt(const struct reader *reader)
{
    return (reader->depth == 3 && key_is(reader, 1, "messages") && key_is(reader, 3, "content"))
        || (reader->depth == 1 && key_is(reader, 1, "prompt"))
        || (reader->depth <= 2 && key_is(reader, 1, "input"));
}

/* A string is a key, a prompt, the model's name, or nothing that matters. */
static void take_string(struct asked *asked, struct reader *reader)
{
    char *start = reader->out, *end = read_string(reader, start);
    size_t length = (size_t)(end - start);

    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) != NULL)
        reader->at++;
    if (reader->at < reader->end && *reader->at == ':') {
        if (reader->depth <= DEEPEST)
            snprintf(reader->keys[reader->depth], KEY_BYTES, "%.*s", (int)length, start);
    } else if (is_prompt(reader)) {
        asked->inputs += key_is(reader, 1, "input");
        asked->last = start;
        *end = '\n';
        reader->out = end + 1;
    } else if (reader->depth == 1 && key_is(reader, 1, "model")) {
        snprintf(asked->model, MODEL_BYTES, "%.*s", (int)length, start);
    }
}

static void take_other(struct asked *asked, struct reader *reader)
{
    char byte = *reader->at;

    if (byte == '{' || byte == '[') {
        if (++reader->depth <= DEEPEST)
            reader->keys[reader->depth][0] = 0;
        asked->messages += byte == '{' && reader->depth == 3 && key_is(reader, 1, "messages");
    } else if (byte == '}' || byte == ']') {
        reader->depth--;
    } else if (byte == 'f' && reader->depth == 1 && key_is(reader, 1, "stream")) {
        asked->is_whole = true;
    } else if (byte >= '1' && byte <= '9' && reader->depth == 2 && key_is(reader, 2, "num_ctx")) {
        asked->window = strtol(reader->at, &reader->at, 10);
        return;
    }
    reader->at++;
}

/* A quarter of a token a letter, half of one for all else. */
static long tokens_of(const char *text, size_t length)
{
    size_t others = 0;

    for (size_t i = 0; i < length; i++) {
        char lower = text[i] | 32;
        others += !((lower >= 'a' && lower <= 'z') || text[i] == ' ');
    }
    return (long)((length + others) / 4 + 6);
}

/* Reads the body, which ends with a 0 that is not of its length. The prompts in it take its place. */
static void read_request(struct asked *asked, char *body, size_t length)
{
    struct reader reader = {.at = body, .end = body + length, .out = body};

    *asked = (struct asked){.window = 2048, .text = body, .last = body};
    while (reader.at < reader.end) {
        if (*reader.at == '"')
            take_string(asked, &reader);
        else
            take_other(asked, &reader);
    }
    *reader.out = 0;
    asked->length = (size_t)(reader.out - body);
    asked->tokens = tokens_of(body, asked->length);
    if (asked->tokens > asked->window) {
        asked->text += asked->length - asked->length * (size_t)asked->window / (size_t)asked->tokens;
        asked->tokens = asked->window;
    }
}

/* The facts that are in the text, each once. */
static void write_facts(char *out, const char *text)
{
    size_t length = 0;

    out[0] = 0;
    for (const char *at = text; (at = strstr(at, "FACT-")) != NULL; at += 5) {
        char fact[24];
        size_t digits = strspn(at + 5, "0123456789");
        if (digits == 0 || digits > 9 || length + sizeof fact > FIXED_BYTES - 128)
            continue;
        snprintf(fact, sizeof fact, "FACT-%.*s ", (int)digits, at + 5);
        if (strstr(out, fact) == NULL)
            length += (size_t)sprintf(out + length, "%s", fact);
    }
    strcpy(out + length, "and all gauges were read that week.");
}

/* What a prompt says, in letters that need no escape in JSON. */
static void write_echo(char *out, const char *text)
{
    size_t length = (size_t)sprintf(out, "You said: ");

    for (; *text && length < ECHO_BYTES; text++)
        out[length++] = *text >= ' ' && *text < 127 && *text != '"' && *text != '\\' ? *text : ' ';
    out[length] = 0;
}

static void answer_fixed(struct answer *answer, const struct asked *asked, unsigned long count)
{
    char name[80], digest[20];

    answer->fixed = malloc(FIXED_BYTES);
    if (answer->fixed == NULL) {
        answer->manner = REFUSAL;
        return;
    }
    if (strstr(asked->text, "=====DOCUMENT-") != NULL || strncmp(asked->last, "facts", 5) == 0)
        write_facts(answer->fixed, asked->text);
    else if (sscanf(asked->last, "job %79[A-Za-z0-9_-] %19[0-9a-f]", name, digest) == 2)
        sprintf(answer->fixed, "done %s %s %lu ", name, digest, count);
    else
        write_echo(answer->fixed, asked->last);
    answer->total = strlen(answer->fixed);
    answer->piece = BLOCK;
}

/* The answer to a request; `count` is the number of the call. */
static struct answer choose_answer(const struct asked *asked, unsigned long count)
{
    struct answer answer = {.manner = FIXED, .piece = PIECE_BYTES};
    unsigned long number;
    unsigned pause;

    if (strstr(asked->text, "=====DOCUMENT-") != NULL) {
        answer_fixed(&answer, asked, count);
    } else if (sscanf(asked->last, "slow %lu %u", &number, &pause) == 2) {
        answer = (struct answer){.manner = NUMBERS, .total = number * BLOCK, .piece = BLOCK, .pause = pause};
    } else if (sscanf(asked->last, "long %lu", &number) == 1) {
        answer.manner = NUMBERS;
        answer.total = number;
    } else if (strncmp(asked->last, "fail", 4) == 0) {
        answer.manner = REFUSAL;
    } else if (strncmp(asked->last, "mute", 4) == 0) {
        answer.manner = SILENCE;
    } else {
        answer_fixed(&answer, asked, count);
        if (strncmp(asked->last, "broken", 6) == 0 && answer.manner == FIXED)
            answer.manner = asked->is_whole ? REFUSAL : BREAK;
    }
    return answer;
}

/* Writes the next piece of the answer's text, of `most` bytes at most. Returns its length. */
static size_t write_piece(struct answer *answer, char *out, size_t most)
{
    size_t length = answer->total - answer->sent;
    char block[32];

    if (length > answer->piece)
        length = answer->piece;
    if (length > most)
        length = most;
    for (size_t i = 0; i < length; i++, answer->sent++) {
        if (answer->manner != NUMBERS) {
            out[i] = answer->fixed[answer->sent];
            continue;
        }
        if (i == 0 || answer->sent % BLOCK == 0)
            snprintf(block, sizeof block, "%015lu ", answer->sent / BLOCK);
        out[i] = block[answer->sent % BLOCK];
    }
    return length;
}
