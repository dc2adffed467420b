/* An Ollama that has no model: it answers as prompt.h says, in the shapes of the real one, for a virtual board.
 *
 *   ollama [ADDRESS [PORT]]      127.0.0.1 and 11434 where nothing is said
 *
 * It is one static program without threads, serves 128 connections at once, and holds a request's body, and nothing of an
 * answer but the piece that is being sent. `GET /counts` is not Ollama's: it tells how often each thing was asked, and how
 * many chats ran at the same time.
 */
#define _POSIX_C_SOURCE 200809L

#include "shapes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 128, BODY_MOST = 4 << 20 };

static struct connection connections[CONNECTIONS];

/* Ready for the next request of the connection. */
static void reset(struct connection *it)
{
    counts.running -= it->is_running;
    free(it->body);
    free(it->answer.fixed);
    it->body = it->answer.fixed = NULL;
    it->is_running = false;
    it->body_length = it->body_wanted = it->out_length = it->out_sent = 0;
    it->step = HEAD;
}

static void hang_up(struct connection *it)
{
    reset(it);
    close(it->socket);
    it->step = FREE;
}

/* The request is whole: what is asked? */
static void answer_request(struct connection *it)
{
    char *method = it->head, *path = strchr(it->head, ' '), *end = path == NULL ? NULL : strpbrk(path + 1, " ?");

    counts.calls++;
    if (end == NULL) {
        reply(it, 400, "400 bad request");
        return;
    }
    *path++ = *end = 0;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        answer_get(it, path);
    else if (it->body != NULL)
        answer_post(it, path);
    else
        reply(it, 400, "{\"error\":\"missing request body\"}");
    it->head_length = 0;
}

/* The value of a header; a name with its colon, in any case. */
static const char *header(const char *head, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        size_t i = 0;
        for (line += 2; i < length && (line[i] | 32) == (name[i] | 32); i++)
            ;
        if (i == length)
            return line + i + strspn(line + i, " ");
    }
    return NULL;
}

/* Takes what has come of a head, and of the body that came with it. */
static void take_head(struct connection *it)
{
    it->head[it->head_length] = 0;
    char *end = strstr(it->head, "\r\n\r\n");
    if (end == NULL) {
        if (it->head_length == HEAD_BYTES - 1)
            hang_up(it);
        return;
    }
    end[2] = 0;
    const char *length = header(it->head, "content-length:"), *keep = header(it->head, "connection:");
    it->closes = keep != NULL && strncmp(keep, "close", 5) == 0;
    it->body_wanted = length == NULL ? 0 : strtoul(length, NULL, 10);
    if (it->body_wanted == 0) {
        answer_request(it);
        return;
    }
    it->body = it->body_wanted > BODY_MOST ? NULL : malloc(it->body_wanted + 2);
    if (it->body == NULL) {
        hang_up(it);
        return;
    }
    it->body_length = it->head_length - (size_t)(end + 4 - it->head);
    if (it->body_length > it->body_wanted)
        it->body_length = it->body_wanted;
    memcpy(it->body, end + 4, it->body_length);
    it->step = BODY;
}

static void receive(struct connection *it)
{
    char rest[64];
    bool is_head = it->step == HEAD, is_body = it->step == BODY;
    char *to = is_head ? it->head + it->head_length : is_body ? it->body + it->body_length : rest;
    size_t most = is_head ? HEAD_BYTES - 1 - it->head_length : is_body ? it->body_wanted - it->body_length : sizeof rest;
    ssize_t got = recv(it->socket, to, most, 0);

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            hang_up(it);
        return;
    }
    if (is_head) {
        it->head_length += (size_t)got;
        take_head(it);
    } else if (is_body) {
        it->body_length += (size_t)got;
    }
    if (it->step == BODY && it->body_length == it->body_wanted) {
        it->body[it->body_length] = 0;
        answer_request(it);
    }
}

static void transmit(struct connection *it)
{
    while (it->out_sent < it->out_length) {
        ssize_t sent = send(it->socket, it->out + it->out_sent, it->out_length - it->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent < 0) {
            hang_up(it);
            return;
        }
        it->out_sent += (size_t)sent;
    }
    it->out_length = it->out_sent = 0;
    if (it->step == SENDING && it->closes)
        hang_up(it);
    else if (it->step == SENDING)
        reset(it);
}

static bool is_due(const struct connection *it, long long at)
{
    return it->step == ANSWER && it->answer.manner != SILENCE && it->out_length == 0 && it->next <= at;
}

static void admit(int listener)
{
    int one = 1, socket = accept(listener, NULL, NULL);

    if (socket < 0)
        return;
    fcntl(socket, F_SETFL, O_NONBLOCK);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < CONNECTIONS; i++) {
        if (connections[i].step == FREE) {
            memset(&connections[i], 0, offsetof(struct connection, head));
            connections[i].socket = socket;
            connections[i].head_length = 0;
            connections[i].step = HEAD;
            return;
        }
    }
    close(socket);
}

/* Fills in what is waited for. Returns for how many milliseconds at most. */
static int prepare(struct pollfd *polled)
{
    long long at = now(), wait = 60000;

    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *it = &connections[i];
        polled[i] = (struct pollfd){.fd = it->step == FREE ? -1 : it->socket, .events = POLLIN};
        if (it->out_length > 0)
            polled[i].events |= POLLOUT;
        else if (it->step == ANSWER && it->answer.manner != SILENCE && it->next - at < wait)
            wait = it->next > at ? it->next - at : 0;
    }
    return (int)wait;
}

static void serve(int listener)
{
    struct pollfd polled[CONNECTIONS + 1];

    for (;;) {
        int wait = prepare(polled);
        polled[CONNECTIONS] = (struct pollfd){.fd = listener, .events = POLLIN};
        poll(polled, CONNECTIONS + 1, wait);
        long long at = now();
        for (int i = 0; i < CONNECTIONS; i++) {
            struct connection *it = &connections[i];
            if (it->step != FREE && (polled[i].revents & (POLLIN | POLLHUP | POLLERR)))
                receive(it);
            if (is_due(it, at))
                next_piece(it);
            if (it->out_length > 0)
                transmit(it);
        }
        if (polled[CONNECTIONS].revents & POLLIN)
            admit(listener);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_port = htons((unsigned short)(argc > 2 ? atoi(argv[2]) : 11434));
    if (inet_pton(AF_INET, argc > 1 ? argv[1] : "127.0.0.1", &address.sin_addr) != 1) {
        fprintf(stderr, "ollama: no address: %s\n", argv[1]);
        return 64;
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0) {
        perror("ollama");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    serve(listener);
}
