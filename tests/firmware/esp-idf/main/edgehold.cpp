// edgehold from ESP-IDF: see edgehold.hpp.
#include "edgehold.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <strings.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

namespace {

constexpr char TAG[] = "edgehold";
constexpr char ASK[] = "/v1/ask";
constexpr char MODEL[] = "model=default";
constexpr char WAIT[] = "wait=20";              // seconds that one request waits for a job's result
constexpr char PREFER[] = "respond-async, wait=20";
constexpr int TIMEOUT_MS = 30000;               // without a byte; more than the wait
constexpr int TRIES = 5;                        // how often in a row something may fail that can come right
constexpr int ROUNDS = 90;                      // how many waits a job gets in one call
constexpr unsigned LONGEST = 30;                // seconds between two tries at most, whatever Retry-After says
constexpr std::string_view JOB_HEAD = "{\"path\":\"/v1/ask?model=default\",\"body\":\"";
constexpr std::string_view JOB_TAIL = "\"}";
constexpr std::string_view PLACE = "/v1/jobs/";

// A byte as it stands in a JSON string: 1, 2 or 6 bytes.
size_t escaped(char *out, char byte) {
    if (static_cast<unsigned char>(byte) < 0x20) {
        return static_cast<size_t>(snprintf(out, 7, "\\u%04x", static_cast<unsigned>(byte)));
    }
    size_t count = 0;
    if (byte == '"' || byte == '\\') out[count++] = '\\';
    out[count++] = byte;
    return count;
}

void pause_for(unsigned seconds) {
    vTaskDelay(pdMS_TO_TICKS(1000 * (seconds == 0 ? 1 : seconds > LONGEST ? LONGEST : seconds)));
}

}  // namespace

Edgehold::Outcome Edgehold::job(const char *id, std::string_view text) {
    char place[sizeof place_];
    passed_ = 0;
    if (snprintf(place, sizeof place, "/v1/jobs/%s", id) >= static_cast<int>(sizeof place)) return Outcome::refused;
    const Outcome outcome = taken({HTTP_METHOD_PUT, place, nullptr, text, nullptr, false});
    if (outcome != Outcome::done) return outcome;
    return strcmp(place_, place) == 0 ? collect(place) : Outcome::wrong;
}

Edgehold::Outcome Edgehold::give(std::string_view text, const char *key) {
    passed_ = 0;
    const Outcome outcome = taken({HTTP_METHOD_POST, ASK, MODEL, text, key, true});
    if (outcome != Outcome::done) return outcome;
    char place[sizeof place_];
    strcpy(place, place_);
    if (status_ == 202) return std::string_view(place).substr(0, PLACE.size()) == PLACE ? collect(place) : Outcome::wrong;
    if (place[0] != 0) let_go(place);
    return Outcome::done;
}

// Hands the text over until somebody takes it.
Edgehold::Outcome Edgehold::taken(const Request &request) {
    int failed = 0;
    Outcome outcome;
    do outcome = exchange(request);
    // An answer that was cut is another one the next time, unless it is a job's.
    while ((passed_ == 0 || request.key != nullptr) && again(outcome, failed));
    return outcome == Outcome::done && status_ != 200 && status_ != 202 ? Outcome::refused : outcome;
}

// Waits for the job's result, passes it on, and lets the job go. A connection that breaks loses nothing: the result is
// asked for again, and what has been passed on of it is skipped.
Edgehold::Outcome Edgehold::collect(const char *place) {
    char path[sizeof place_ + 8];
    snprintf(path, sizeof path, "%s/result", place);
    int failed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        Outcome outcome = exchange({HTTP_METHOD_GET, path, WAIT, {}, nullptr, true});
        if (again(outcome, failed)) continue;
        if (outcome != Outcome::done) return outcome;
        if (status_ == 200) {
            let_go(place);
            return Outcome::done;
        }
        if (status_ != 202) return Outcome::refused;
        failed = 0;
        pause_for(1);
    }
    return Outcome::later;
}

// If this gets lost, the gateway lets the job go when its time is over.
void Edgehold::let_go(const char *place) {
    exchange({HTTP_METHOD_DELETE, place, nullptr, {}, nullptr, false});
}

// Whether it may be tried again; then it has waited.
bool Edgehold::again(Outcome &outcome, int &failed) {
    if (outcome == Outcome::done && (status_ == 503 || status_ == 429) && !is_final_) outcome = Outcome::busy;
    const bool may_come_right =
        outcome == Outcome::busy || outcome == Outcome::unreachable || outcome == Outcome::cut;
    if (!may_come_right || ++failed >= TRIES) return false;
    pause_for(outcome == Outcome::busy ? retry_after_ : 0);
    return true;
}

Edgehold::Outcome Edgehold::exchange(const Request &request) {
    status_ = 0;
    retry_after_ = 0;
    has_length_ = is_final_ = false;
    place_[0] = 0;
    esp_http_client_config_t config = {};
    config.host = host_;
    config.port = port_;
    config.path = request.path;
    config.query = request.query;
    config.transport_type = HTTP_TRANSPORT_OVER_TCP;
    config.method = request.method;
    config.timeout_ms = TIMEOUT_MS;
    config.disable_auto_redirect = true;
    config.buffer_size = sizeof buffer_;
    config.event_handler = on_event;
    config.user_data = this;
    const esp_http_client_handle_t client = esp_http_client_init(&config);
    if (client == nullptr) return Outcome::unreachable;
    const Outcome outcome = exchange_on(client, request);
    esp_http_client_cleanup(client);
    return outcome;
}

Edgehold::Outcome Edgehold::exchange_on(esp_http_client_handle_t client, const Request &request) {
    const bool plain = request.method == HTTP_METHOD_POST;
    size_t size = request.text.size();
    if (!plain && size > 0) {
        char out[7];
        size = JOB_HEAD.size() + JOB_TAIL.size();
        for (const char byte : request.text) size += escaped(out, byte);
    }
    esp_http_client_set_header(client, "Connection", "close");
    esp_http_client_set_header(client, "Content-Type", plain ? "text/plain; charset=utf-8" : "application/json");
    if (token_ != nullptr) {
        snprintf(buffer_, sizeof buffer_, "Bearer %s", token_);
        esp_http_client_set_header(client, "Authorization", buffer_);
    }
    if (request.key != nullptr) {
        esp_http_client_set_header(client, "Prefer", PREFER);
        esp_http_client_set_header(client, "Idempotency-Key", request.key);
    }
    if (esp_http_client_open(client, static_cast<int>(size)) != ESP_OK) return Outcome::unreachable;
    if (!write_body(client, request)) return Outcome::unreachable;
    const int64_t length = esp_http_client_fetch_headers(client);
    if (length < 0) return Outcome::unreachable;
    const int status = esp_http_client_get_status_code(client);
    if (status < 200 || (!has_length_ && status != 204)) return Outcome::wrong;
    status_ = status;
    return read_body(client, request, length);
}

bool Edgehold::write_body(esp_http_client_handle_t client, const Request &request) {
    const std::string_view text = request.text;
    if (text.empty()) return true;
    if (request.method == HTTP_METHOD_PUT) return write_job(client, text);
    const int size = static_cast<int>(text.size());
    return esp_http_client_write(client, text.data(), size) == size;
}

bool Edgehold::write_job(esp_http_client_handle_t client, std::string_view text) {
    size_t used = JOB_HEAD.copy(buffer_, sizeof buffer_);
    const auto flushed = [&] {
        const int size = static_cast<int>(used);
        used = 0;
        return esp_http_client_write(client, buffer_, size) == size;
    };
    for (const char byte : text) {
        if (used + 7 > sizeof buffer_ && !flushed()) return false;
        used += escaped(buffer_ + used, byte);
    }
    if (used + JOB_TAIL.size() > sizeof buffer_ && !flushed()) return false;
    used += JOB_TAIL.copy(buffer_ + used, JOB_TAIL.size());
    return flushed();
}

// Passes an answer on, without what has been passed on already; the text of an error goes to the log.
Edgehold::Outcome Edgehold::read_body(esp_http_client_handle_t client, const Request &request, int64_t length) {
    const bool wanted = request.wanted && status_ == 200;
    if (wanted && length < passed_) return Outcome::wrong;
    const int64_t skip = wanted ? passed_ : 0;
    for (int64_t at = 0; at < length;) {
        const int count = esp_http_client_read(client, buffer_, sizeof buffer_);
        if (count <= 0) return Outcome::cut;
        const int old = at >= skip ? 0 : skip - at < count ? static_cast<int>(skip - at) : count;
        if (wanted && count > old) {
            answer_(buffer_ + old, static_cast<size_t>(count - old));
            passed_ += count - old;
        } else if (status_ >= 300) {
            ESP_LOGW(TAG, "%d: %.*s", status_, count, buffer_);
        }
        at += count;
    }
    return Outcome::done;
}

// esp_http_client_get_header() gives headers of the request; those of the response come by here alone.
esp_err_t Edgehold::on_event(esp_http_client_event_t *event) {
    if (event->event_id == HTTP_EVENT_ON_HEADER) {
        static_cast<Edgehold *>(event->user_data)->take_header(event->header_key, event->header_value);
    }
    return ESP_OK;
}

void Edgehold::take_header(const char *name, const char *value) {
    if (strcasecmp(name, "Content-Length") == 0) {
        has_length_ = true;
    } else if (strcasecmp(name, "Retry-After") == 0) {
        retry_after_ = static_cast<unsigned>(strtoul(value, nullptr, 10));
    } else if (strcasecmp(name, "X-Edgehold-Job") == 0) {
        is_final_ = strcmp(value, "failed") == 0;
    } else if (strcasecmp(name, "Location") == 0) {
        snprintf(place_, sizeof place_, "%s", value);
    }
}

const char *Edgehold::word(Outcome outcome) {
    constexpr const char *words[] = {"done", "no result yet", "busy", "refused", "unreachable", "cut", "wrong"};
    return words[static_cast<int>(outcome)];
}
