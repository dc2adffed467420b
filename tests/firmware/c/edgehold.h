/* edgehold from firmware: a question in plain text, and durable jobs, through one buffer of 512 bytes.
 *
 * C99 and POSIX sockets, nothing is allocated. Copy edgehold.h and edgehold.c into your product; main.c is only the
 * program that tries them. With lwIP the same calls are there (LWIP_POSIX_SOCKETS_IO_NAMES, LWIP_SOCKET).
 */
#ifndef EDGEHOLD_H
#define EDGEHOLD_H

#include <stddef.h>

#define EDGEHOLD_BUFFER 512  /* all there is for HTTP, in both directions */
#define EDGEHOLD_ASK "/v1/ask?model=default"
#define EDGEHOLD_WAIT 20     /* seconds that one request waits for a job's result */
#define EDGEHOLD_TIMEOUT 30  /* seconds without a byte after which a connection is given up; more than EDGEHOLD_WAIT */
#define EDGEHOLD_TRIES 5     /* how often in a row something may fail that can come right */
#define EDGEHOLD_ROUNDS 90   /* how many waits a job gets in one call: half an hour */
#define EDGEHOLD_LONGEST 30  /* seconds that are waited at most between two tries, whatever Retry-After says */
#define EDGEHOLD_PLACE 80    /* "/v1/jobs/" and an id of up to 64 characters */

enum edgehold_outcome {
    EDGEHOLD_DONE,        /* the whole answer has been passed on */
    EDGEHOLD_LATER,       /* no result yet, and nothing is lost: call again, with the same id, at any time */
    EDGEHOLD_BUSY,        /* every try was answered 503 or 429 */
    EDGEHOLD_REFUSED,     /* the request is wrong, or the job failed: e->status, and the text went to e->trouble */
    EDGEHOLD_UNREACHABLE, /* no connection, or one that broke each time; a job may have been accepted: call again */
    EDGEHOLD_CUT,         /* the answer broke off: what was passed on is to be thrown away */
    EDGEHOLD_WRONG        /* what answered is not edgehold, or speaks otherwise than it should */
};

typedef void (*edgehold_sink)(const char *bytes, size_t count);

struct edgehold {
    const char *host, *port;
    const char *token;     /* of [[clients]] in the gateway's configuration; NULL for none */
    edgehold_sink answer;  /* gets the answer, piece by piece; a character of UTF-8 may be cut between two pieces */
    edgehold_sink trouble; /* gets the text of an error the same way */

    /* Of the last response. */
    int status;
    unsigned retry_after;
    int is_final;               /* whether it is what a job ended with */
    char place[EDGEHOLD_PLACE]; /* its Location: where the job is */

    /* Inside. */
    int socket;
    size_t start, end;    /* what is in the buffer */
    unsigned long length; /* of the body */
    unsigned long passed; /* bytes of this answer that e->answer has had */
    char buffer[EDGEHOLD_BUFFER];
};

/* Asks, and passes the answer on. Waits as Retry-After says while the gateway is busy, a few times. */
enum edgehold_outcome edgehold_ask(struct edgehold *e, const char *text);

/* The same, for whom the answer may come later: once it is accepted it survives power cuts on the gateway. `key` is of
 * your making, 1 to 64 of [A-Za-z0-9_-]; repeated with the same key and text, after a reset too, it is the same job. */
enum edgehold_outcome edgehold_ask_later(struct edgehold *e, const char *key, const char *text);

/* The same as a job whose id is known before it is handed over: /v1/jobs/ID. */
enum edgehold_outcome edgehold_job(struct edgehold *e, const char *id, const char *text);

/* The outcome in a word or two. */
const char *edgehold_word(enum edgehold_outcome outcome);

#endif
