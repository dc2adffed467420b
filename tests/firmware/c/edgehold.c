/* edgehold from firmware: see edgehold.h. */
#define _POSIX_C_SOURCE 200809L

#include "edgehold.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum body { NO_BODY, PLAIN, JOB };

static const char JOB_HEAD[] = "{\"path\":\"" EDGEHOLD_ASK "\",\"body\":\"";
static const char JOB_TAIL[] = "\"}";

/* --- the connection --- */

static void hang_up(struct edgehold *e) {
    if (e->socket >= 0) close(e->socket);
    e->socket = -1;
}

static int dial(struct edgehold *e) {
    struct addrinfo hints, *found, *each;
    struct timeval patience = {EDGEHOLD_TIMEOUT, 0};
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    e->socket = -1;
    if (getaddrinfo(e->host, e->port, &hints, &found) != 0) return 0;
    for (each = found; each != NULL && e->socket < 0; each = each->ai_next) {
        e->socket = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
        if (e->socket < 0) continue;
        setsockopt(e->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(e->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(e->socket, each->ai_addr, each->ai_addrlen) != 0) hang_up(e);
    }
    freeaddrinfo(found);
    return e->socket >= 0;
}

static int send_all(struct edgehold *e, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(e->socket, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return 0;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 1;
}

/* Reads what has come behind what is in the buffer; 0 when there is no more, or no room. */
static int fill(struct edgehold *e) {
    ssize_t got;
    if (e->start > 0) {
        memmove(e->buffer, e->buffer + e->start, e->end - e->start);
        e->end -= e->start;
        e->start = 0;
    }
    if (e->end == sizeof e->buffer) return 0;
    do got = recv(e->socket, e->buffer + e->end, sizeof e->buffer - e->end, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0) return 0;
    e->end += (size_t)got;
    return 1;
}

/* --- the request --- */

/* Adds to the head in the buffer; 0 when it does not fit. */
static int add(struct edgehold *e, const char *format, ...) {
    va_list values;
    size_t room = sizeof e->buffer - e->end;
    int count;
    va_start(values, format);
    count = vsnprintf(e->buffer + e->end, room, format, values);
    va_end(values);
    if (count < 0 || (size_t)count >= room) return 0;
    e->end += (size_t)count;
    return 1;
}

/* A byte as it stands in a JSON string: 1, 2 or 6 bytes. */
static size_t escaped(char *out, unsigned char byte) {
    if (byte < 0x20) return (size_t)snprintf(out, 7, "\\u%04x", byte);
    out[0] = '\\';
    if (byte == '"' || byte == '\\') {
        out[1] = (char)byte;
        return 2;
    }
    out[0] = (char)byte;
    return 1;
}

static size_t body_length(enum body kind, const char *text) {
    char out[7];
    size_t length = sizeof JOB_HEAD - 1 + sizeof JOB_TAIL - 1;
    if (kind == NO_BODY) return 0;
    if (kind == PLAIN) return strlen(text);
    for (; *text != 0; text++) length += escaped(out, (unsigned char)*text);
    return length;
}

/* The head has gone, so that the buffer is free for the body. */
static int send_job(struct edgehold *e, const char *text) {
    size_t used = sizeof JOB_HEAD - 1;
    memcpy(e->buffer, JOB_HEAD, used);
    for (; *text != 0; text++) {
        if (used + 7 > sizeof e->buffer) {
            if (!send_all(e, e->buffer, used)) return 0;
            used = 0;
        }
        used += escaped(e->buffer + used, (unsigned char)*text);
    }
    return send_all(e, e->buffer, used) && send_all(e, JOB_TAIL, sizeof JOB_TAIL - 1);
}

static enum edgehold_outcome send_request(struct edgehold *e, const char *start, const char *more, enum body kind,
                                          const char *text) {
    const char *type = kind == PLAIN ? "text/plain; charset=utf-8" : "application/json";
    int fits;
    e->start = e->end = 0;
    fits = add(e, "%s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n%s", start, e->host, e->port, more);
    if (e->token != NULL) fits = fits && add(e, "Authorization: Bearer %s\r\n", e->token);
    if (kind != NO_BODY)
        fits = fits && add(e, "Content-Type: %s\r\nContent-Length: %lu\r\n", type,
                           (unsigned long)body_length(kind, text));
    if (!fits || !add(e, "\r\n")) return EDGEHOLD_REFUSED;
    if (!dial(e) || !send_all(e, e->buffer, e->end)) return EDGEHOLD_UNREACHABLE;
    e->end = 0;
    if (kind == PLAIN && !send_all(e, text, strlen(text))) return EDGEHOLD_UNREACHABLE;
    if (kind == JOB && !send_job(e, text)) return EDGEHOLD_UNREACHABLE;
    return EDGEHOLD_DONE;
}

/* --- the response --- */

/* The next line of the head, without its end; NULL when the connection broke. Of a line that is longer than the buffer
 * only the end is kept: no line that counts is as long as that. */
static char *read_line(struct edgehold *e) {
    char *line, *end;
    while ((end = memchr(e->buffer + e->start, '\n', e->end - e->start)) == NULL) {
        if (e->end - e->start == sizeof e->buffer) e->start = e->end;
        if (!fill(e)) return NULL;
    }
    line = e->buffer + e->start;
    e->start = (size_t)(end - e->buffer) + 1;
    if (end > line && end[-1] == '\r') end--;
    *end = 0;
    return line;
}

/* A number and nothing else. */
static int number(const char *text, unsigned long *value) {
    unsigned long found = 0;
    if (*text == 0) return 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (found > 400000000UL) return 0;
        found = found * 10 + (unsigned long)(*text - '0');
    }
    *value = found;
    return *text == 0;
}

/* The value, where the line is the header of that name. */
static const char *value_of(const char *line, const char *name) {
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':') return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

static int read_header(struct edgehold *e, const char *line, int *has_length) {
    const char *value;
    unsigned long seconds;
    if ((value = value_of(line, "Content-Length")) != NULL) return *has_length = number(value, &e->length);
    if (value_of(line, "Transfer-Encoding") != NULL) return 0;
    if ((value = value_of(line, "Retry-After")) != NULL && number(value, &seconds)) e->retry_after = (unsigned)seconds;
    if ((value = value_of(line, "X-Edgehold-Job")) != NULL) e->is_final = strcmp(value, "failed") == 0;
    if ((value = value_of(line, "Location")) != NULL) {
        if (strlen(value) >= sizeof e->place) return 0;
        strcpy(e->place, value);
    }
    return 1;
}

static enum edgehold_outcome read_head(struct edgehold *e) {
    unsigned long status;
    int has_length = 0;
    char *line = read_line(e);
    e->status = 0;
    e->retry_after = 0;
    e->is_final = 0;
    e->length = 0;
    e->place[0] = 0;
    if (line == NULL) return EDGEHOLD_UNREACHABLE;
    if (strlen(line) < 12 || strncmp(line, "HTTP/1.1 ", 9) != 0) return EDGEHOLD_WRONG;
    line[12] = 0;
    if (!number(line + 9, &status) || status < 200) return EDGEHOLD_WRONG;
    while ((line = read_line(e)) != NULL && *line != 0)
        if (!read_header(e, line, &has_length)) return EDGEHOLD_WRONG;
    if (line == NULL) return EDGEHOLD_UNREACHABLE;
    if (!has_length && status != 204) return EDGEHOLD_WRONG;
    e->status = (int)status;
    return EDGEHOLD_DONE;
}

/* Passes the body on, without its first `skip` bytes. */
static enum edgehold_outcome read_body(struct edgehold *e, edgehold_sink sink, unsigned long skip) {
    unsigned long at = 0;
    while (at < e->length) {
        size_t count, old;
        if (e->start == e->end && !fill(e)) return EDGEHOLD_CUT;
        count = e->end - e->start;
        if (count > e->length - at) count = (size_t)(e->length - at);
        old = at >= skip ? 0 : skip - at < count ? (size_t)(skip - at) : count;
        if (sink != NULL && count > old) {
            sink(e->buffer + e->start + old, count - old);
            if (sink == e->answer) e->passed += count - old;
        }
        e->start += count;
        at += count;
    }
    return EDGEHOLD_DONE;
}

/* One request and its response. The body of 200 is the answer where `wanted` says so; that of an error is told. */
static enum edgehold_outcome exchange(struct edgehold *e, const char *start, const char *more, enum body kind,
                                      const char *text, int wanted) {
    enum edgehold_outcome outcome = send_request(e, start, more, kind, text);
    e->status = 0;
    if (outcome == EDGEHOLD_DONE) outcome = read_head(e);
    if (outcome == EDGEHOLD_DONE) {
        edgehold_sink sink = e->status >= 300 ? e->trouble : e->status == 200 && wanted ? e->answer : NULL;
        if (sink == e->answer && e->length < e->passed)
            outcome = EDGEHOLD_WRONG;
        else
            outcome = read_body(e, sink, sink == e->answer ? e->passed : 0);
    }
    hang_up(e);
    return outcome;
}

/* --- what is asked --- */

static void pause_for(unsigned seconds) {
    struct timespec time;
    time.tv_sec = seconds == 0 ? 1 : seconds > EDGEHOLD_LONGEST ? EDGEHOLD_LONGEST : (time_t)seconds;
    time.tv_nsec = 0;
    nanosleep(&time, NULL);
}

/* Whether it may be tried again; then it has waited. */
static int again(struct edgehold *e, enum edgehold_outcome *outcome, unsigned *tries) {
    if (*outcome == EDGEHOLD_DONE && (e->status == 503 || e->status == 429) && !e->is_final) *outcome = EDGEHOLD_BUSY;
    if (*outcome == EDGEHOLD_DONE || *outcome == EDGEHOLD_WRONG || *outcome == EDGEHOLD_REFUSED) return 0;
    if (++*tries >= EDGEHOLD_TRIES) return 0;
    pause_for(*outcome == EDGEHOLD_BUSY ? e->retry_after : 0);
    return 1;
}

/* Tells the gateway that the result has been had. If this gets lost, the job goes when its time is over. */
static void let_go(struct edgehold *e, const char *place) {
    char start[EDGEHOLD_PLACE + 8];
    snprintf(start, sizeof start, "DELETE %s", place);
    exchange(e, start, "", NO_BODY, "", 0);
}

/* Waits for the job's result, passes it on, and lets the job go. A connection that breaks loses nothing: the result is
 * asked for again, and what has been passed on of it is skipped. */
static enum edgehold_outcome collect(struct edgehold *e, const char *place) {
    char start[EDGEHOLD_PLACE + 32];
    enum edgehold_outcome outcome;
    unsigned tries = 0, rounds;
    for (rounds = 0; rounds < EDGEHOLD_ROUNDS; rounds++) {
        snprintf(start, sizeof start, "GET %s/result?wait=%d", place, EDGEHOLD_WAIT);
        outcome = exchange(e, start, "", NO_BODY, "", 1);
        if (again(e, &outcome, &tries)) continue;
        if (outcome != EDGEHOLD_DONE) return outcome;
        if (e->status == 202) {
            tries = 0;
            pause_for(1);
            continue;
        }
        if (e->status != 200) return EDGEHOLD_REFUSED;
        let_go(e, place);
        return EDGEHOLD_DONE;
    }
    return EDGEHOLD_LATER;
}

/* Hands the text over until somebody takes it. */
static enum edgehold_outcome hand_over(struct edgehold *e, const char *start, const char *more, enum body kind,
                                       const char *text) {
    enum edgehold_outcome outcome;
    unsigned tries = 0;
    e->passed = 0;
    do outcome = exchange(e, start, more, kind, text, kind == PLAIN);
    /* An answer that was cut is another one the next time, unless it is a job's. */
    while ((e->passed == 0 || *more != 0) && again(e, &outcome, &tries));
    if (outcome == EDGEHOLD_DONE && e->status != 200 && e->status != 202) return EDGEHOLD_REFUSED;
    return outcome;
}

static enum edgehold_outcome ask(struct edgehold *e, const char *more, const char *text) {
    char place[EDGEHOLD_PLACE];
    enum edgehold_outcome outcome = hand_over(e, "POST " EDGEHOLD_ASK, more, PLAIN, text);
    if (outcome != EDGEHOLD_DONE) return outcome;
    strcpy(place, e->place);
    if (e->status == 202) return strncmp(place, "/v1/jobs/", 9) == 0 ? collect(e, place) : EDGEHOLD_WRONG;
    if (*place != 0) let_go(e, place);
    return EDGEHOLD_DONE;
}

enum edgehold_outcome edgehold_ask(struct edgehold *e, const char *text) {
    return ask(e, "", text);
}

enum edgehold_outcome edgehold_ask_later(struct edgehold *e, const char *key, const char *text) {
    char more[160];
    snprintf(more, sizeof more, "Prefer: respond-async, wait=%d\r\nIdempotency-Key: %.64s\r\n", EDGEHOLD_WAIT, key);
    return ask(e, more, text);
}

enum edgehold_outcome edgehold_job(struct edgehold *e, const char *id, const char *text) {
    char start[EDGEHOLD_PLACE + 8];
    enum edgehold_outcome outcome;
    snprintf(start, sizeof start, "PUT /v1/jobs/%.64s", id);
    outcome = hand_over(e, start, "", JOB, text);
    if (outcome != EDGEHOLD_DONE) return outcome;
    if (strcmp(e->place, start + 4) != 0) return EDGEHOLD_WRONG;
    return collect(e, start + 4);
}

const char *edgehold_word(enum edgehold_outcome outcome) {
    static const char *const words[] = {"done", "no result yet", "busy", "refused", "unreachable", "cut", "wrong"};
    return words[outcome];
}
