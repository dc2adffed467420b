// edgehold from ESP-IDF: a question in plain text, and durable jobs, over esp_http_client, through one buffer of 512 bytes.
//
// Copy edgehold.hpp and edgehold.cpp into a component that requires esp_http_client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp_http_client.h"

class Edgehold {
public:
    enum class Outcome {
        done,         // the whole answer has been passed on
        later,        // no result yet, and nothing is lost: call again, with the same id, at any time
        busy,         // every try was answered 503 or 429
        refused,      // the request is wrong, or the job failed: see status(); the text is in the log
        unreachable,  // no connection, or one that broke each time; a job may have been accepted: call again
        cut,          // the answer broke off: what was passed on is to be thrown away
        wrong         // what answered is not edgehold, or speaks otherwise than it should
    };

    // Gets the answer piece by piece; a character of UTF-8 may be cut between two pieces.
    using Sink = void (*)(const char *bytes, size_t count);

    // The token is one of [[clients]] in the gateway's configuration, or nullptr.
    Edgehold(const char *host, int port, const char *token, Sink answer)
        : host_(host), port_(port), token_(token), answer_(answer) {}

    // Asks now, and waits as Retry-After says while the gateway is busy, a few times.
    Outcome ask(std::string_view text) { return give(text, nullptr); }

    // The same, for whom the answer may come later. The key is of your making, 1 to 64 of [A-Za-z0-9_-]; repeated with
    // the same key and text, after a reset too, it is the same job.
    Outcome ask_later(const char *key, std::string_view text) { return give(text, key); }

    // A job whose id is known before it is handed over, so that handing it over again is safe.
    Outcome job(const char *id, std::string_view text);

    int status() const { return status_; }
    static const char *word(Outcome outcome);

private:
    struct Request {
        esp_http_client_method_t method;
        const char *path;
        const char *query = nullptr;
        std::string_view text = {};
        const char *key = nullptr;  // of a question that may be answered later
        bool wanted = false;        // whether the body of 200 is the answer
    };

    Outcome give(std::string_view text, const char *key);
    Outcome taken(const Request &request);
    Outcome collect(const char *place);
    void let_go(const char *place);
    bool again(Outcome &outcome, int &failed);
    Outcome exchange(const Request &request);
    Outcome exchange_on(esp_http_client_handle_t client, const Request &request);
    bool write_body(esp_http_client_handle_t client, const Request &request);
    bool write_job(esp_http_client_handle_t client, std::string_view text);
    Outcome read_body(esp_http_client_handle_t client, const Request &request, int64_t length);
    static esp_err_t on_event(esp_http_client_event_t *event);
    void take_header(const char *name, const char *value);

    const char *host_;
    int port_;
    const char *token_;
    Sink answer_;

    // Of the last response.
    int status_ = 0;
    unsigned retry_after_ = 0;
    bool has_length_ = false;
    bool is_final_ = false;  // it is what a job ended with
    char place_[80] = "";

    int64_t passed_ = 0;  // bytes of this answer that have been passed on
    char buffer_[512];
};
