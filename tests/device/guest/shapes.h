/* The shapes of an Ollama's answers: what ollama.c says, piece by piece, over a connection. */
#include "prompt.h"

#include <time.h>

enum { HEAD_BYTES = 2048, OUT_BYTES = 6144, CONTEXT = 32768 };

enum step { FREE, HEAD, BODY, ANSWER, SENDING };

struct connection {
    int socket;
    enum step step;
    bool closes, is_generate, is_running;
    char head[HEAD_BYTES], out[OUT_BYTES];
    size_t head_length, out_length, out_sent;
    char *body;
    size_t body_length, body_wanted;
    struct asked asked;
    struct answer answer;
    long long next;           /* when the next piece is due, in milliseconds */
};

static struct {
    unsigned long calls, chats, loads, shows, probes, embeds, running, most;
} counts;

static bool is_loaded;

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static const char *stamp(void)
{
    static char text[40];
    time_t seconds = time(NULL);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

/* A whole answer that is small. */
static void reply(struct connection *it, int status, const char *body)
{
    const char *kind = body[0] == '{' ? "application/json; charset=utf-8" : "text/plain; charset=utf-8";

    it->out_length = (size_t)snprintf(it->out, OUT_BYTES,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status,
        status == 200 ? "OK" : "Error", kind, strlen(body), body);
    it->step = SENDING;
}

static void reply_counts(struct connection *it)
{
    char body[300];

    snprintf(body, sizeof body, "{\"calls\":%lu,\"chats\":%lu,\"loads\":%lu,\"shows\":%lu,\"probes\":%lu,\"embeds\":%lu,"
        "\"running\":%lu,\"most\":%lu}", counts.calls, counts.chats, counts.loads, counts.shows, counts.probes, counts.embeds,
        counts.running, counts.most);
    reply(it, 200, body);
}

static void reply_loaded(struct connection *it)
{
    char body[400];

    snprintf(body, sizeof body, !is_loaded ? "{\"models\":[]}" : "{\"models\":[{\"name\":\"small:latest\",\"model\":"
        "\"small:latest\",\"size\":1000000,\"digest\":\"00\",\"details\":{\"family\":\"llama\"},\"expires_at\":\"%s\","
        "\"size_vram\":0,\"context_length\":%d}]}", stamp(), CONTEXT);
    reply(it, 200, body);
}

static void answer_get(struct connection *it, const char *path)
{
    counts.probes++;
    if (strcmp(path, "/") == 0)
        reply(it, 200, "Ollama is running");
    else if (strcmp(path, "/api/version") == 0)
        reply(it, 200, "{\"version\":\"0.5.4\"}");
    else if (strcmp(path, "/api/ps") == 0)
        reply_loaded(it);
    else if (strcmp(path, "/api/tags") == 0)
        reply(it, 200, "{\"models\":[{\"name\":\"small:latest\",\"model\":\"small:latest\",\"modified_at\":"
            "\"2026-01-01T00:00:00Z\",\"size\":1000000,\"digest\":\"00\",\"details\":{\"format\":\"gguf\",\"family\":\"llama\","
            "\"parameter_size\":\"1M\",\"quantization_level\":\"F16\"}}]}");
    else if (strcmp(path, "/counts") == 0)
        reply_counts(it);
    else
        reply(it, 404, "404 page not found");
}

static void answer_embed(struct connection *it)
{
    char body[2048] = "{\"model\":\"small\",\"embeddings\":[";
    size_t length = strlen(body);

    counts.embeds++;
    for (int i = 0; i < it->asked.inputs && i < 64; i++)
        length += (size_t)sprintf(body + length, "%s[0.25,-0.5,1]", i ? "," : "");
    sprintf(body + length, "],\"total_duration\":1000000,\"load_duration\":1000,\"prompt_eval_count\":%ld}", it->asked.tokens);
    reply(it, 200, body);
}

/* Begins the answer of a model, which comes in chunks. */
static void begin_answer(struct connection *it)
{
    it->answer = choose_answer(&it->asked, ++counts.chats);
    if (it->answer.manner == REFUSAL) {
        reply(it, 500, "{\"error\":\"llama runner process has terminated: exit status 2\"}");
        return;
    }
    is_loaded = true;
    it->is_running = true;
    if (++counts.running > counts.most)
        counts.most = counts.running;
    it->next = now();
    it->step = ANSWER;
    if (it->answer.manner != SILENCE)
        it->out_length = (size_t)sprintf(it->out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
            "Transfer-Encoding: chunked\r\n\r\n", it->asked.is_whole ? "application/json; charset=utf-8" : "application/x-ndjson");
}

static void answer_load(struct connection *it)
{
    char body[300];

    counts.loads++;
    is_loaded = true;
    snprintf(body, sizeof body, "{\"model\":\"small\",\"created_at\":\"%s\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},"
        "\"done_reason\":\"load\",\"done\":true}\n", stamp());
    reply(it, 200, body);
}

static void answer_post(struct connection *it, const char *path)
{
    read_request(&it->asked, it->body, it->body_length);
    if (strcmp(it->asked.model, "small") != 0 && strcmp(it->asked.model, "small:latest") != 0) {
        reply(it, 404, "{\"error\":\"model not found, try pulling it first\"}");
    } else if (strcmp(path, "/api/show") == 0) {
        counts.shows++;
        reply(it, 200, "{\"details\":{\"format\":\"gguf\",\"family\":\"llama\"},\"capabilities\":[\"completion\",\"embedding\"],"
            "\"model_info\":{\"general.architecture\":\"llama\",\"llama.context_length\":32768}}");
    } else if (strcmp(path, "/api/embed") == 0) {
        answer_embed(it);
    } else if (strcmp(path, "/api/chat") == 0 || strcmp(path, "/api/generate") == 0) {
        it->is_generate = path[5] == 'g';
        if (it->asked.messages == 0 && !(it->is_generate && it->asked.length > 0))
            answer_load(it);
        else
            begin_answer(it);
    } else {
        reply(it, 404, "404 page not found");
    }
}

/* Adds a chunk of what printf makes of the rest. */
#define ADD_CHUNK(it, ...) \
    do { \
        char line_[OUT_BYTES - 256]; \
        int length_ = snprintf(line_, sizeof line_, __VA_ARGS__); \
        (it)->out_length += (size_t)sprintf((it)->out + (it)->out_length, "%x\r\n%s\r\n", (unsigned)length_, line_); \
    } while (0)

/* What stands around a piece of text: the field that it is in, and what follows. */
static const char *opening(const struct connection *it)
{
    return it->is_generate ? "\"response\":\"" : "\"message\":{\"role\":\"assistant\",\"content\":\"";
}

static const char *closing(const struct connection *it)
{
    return it->is_generate ? "\"" : "\"}";
}

static void finish_answer(struct connection *it)
{
    if (it->answer.manner == BREAK) {
        ADD_CHUNK(it, "{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n");
    } else {
        if (!it->asked.is_whole)
            ADD_CHUNK(it, "{\"model\":\"%s\",\"created_at\":\"%s\",%s", it->asked.model, stamp(), opening(it));
        ADD_CHUNK(it, "%s,\"done_reason\":\"stop\",\"done\":true,\"total_duration\":5000000,\"load_duration\":1000000,"
            "\"prompt_eval_count\":%ld,\"prompt_eval_duration\":1000000,\"eval_count\":%lu,\"eval_duration\":1000000}\n",
            closing(it), it->asked.tokens, it->answer.total / 4 + 1);
    }
    it->out_length += (size_t)sprintf(it->out + it->out_length, "0\r\n\r\n");
    it->step = SENDING;
}

/* The next line of a stream, or the next part of an answer in one piece. */
static void next_piece(struct connection *it)
{
    char text[PIECE_BYTES + 1];
    bool is_first = it->answer.sent == 0;
    size_t length = write_piece(&it->answer, text, sizeof text - 1);

    text[length] = 0;
    if (length == 0)
        finish_answer(it);
    else if (!it->asked.is_whole)
        ADD_CHUNK(it, "{\"model\":\"%s\",\"created_at\":\"%s\",%s%s%s,\"done\":false}\n", it->asked.model, stamp(), opening(it),
            text, closing(it));
    else if (is_first)
        ADD_CHUNK(it, "{\"model\":\"%s\",\"created_at\":\"%s\",%s%s", it->asked.model, stamp(), opening(it), text);
    else
        ADD_CHUNK(it, "%s", text);
    it->next = now() + it->answer.pause;
}
