// edgehold from Arduino: a question in plain text, and durable jobs, through one buffer of 512 bytes.
//
// It needs the core's Client (WiFiClient, EthernetClient, ...), Print, millis() and delay(), and allocates nothing.
#pragma once
#include <Arduino.h>
#include <Client.h>

class Edgehold {
public:
    enum Outcome {
        Done,         // the whole answer has been passed on
        Later,        // no result yet, and nothing is lost: call again, with the same id, at any time
        Busy,         // every try was answered 503 or 429
        Refused,      // the request is wrong, or the job failed: see status(); the text went to `trouble`
        Unreachable,  // no connection, or one that broke each time; a job may have been accepted: call again
        Cut,          // the answer broke off: what was passed on is to be thrown away
        Wrong         // what answered is not edgehold, or speaks otherwise than it should
    };

    // The answer goes to `answer` piece by piece; a character of UTF-8 may be cut between two pieces.
    Edgehold(Client &net, const char *host, uint16_t port, const char *token, Print &answer, Print &trouble)
        : net(net), host(host), port(port), token(token), answer(answer), trouble(trouble) {}

    // Asks now, and waits as Retry-After says while the gateway is busy, a few times.
    Outcome ask(const char *text) { return give(text, nullptr); }

    // The same, for whom the answer may come later. The key is of your making, 1 to 64 of [A-Za-z0-9_-]; repeated with
    // the same key and text, after a reset too, it is the same job.
    Outcome askLater(const char *key, const char *text) { return give(text, key); }

    // A job whose id is known before it is handed over, so that handing it over again is safe.
    Outcome job(const char *id, const char *text) {
        passed = 0;
        char where[sizeof place];
        if (strlen(id) > 64) return Refused;
        strcpy_P(where, PSTR("/v1/jobs/"));
        strcat(where, id);
        Request request = {"PUT", where, nullptr, nullptr, text, false};
        Outcome outcome = taken(request);
        if (outcome != Done) return outcome;
        return strcmp(place, where) == 0 ? collect(where) : Wrong;
    }

    int status() const { return code; }

    static const __FlashStringHelper *word(Outcome outcome) {
        switch (outcome) {
            case Done: return F("done");
            case Later: return F("no result yet");
            case Busy: return F("busy");
            case Refused: return F("refused");
            case Unreachable: return F("unreachable");
            case Cut: return F("cut");
            default: return F("wrong");
        }
    }

private:
    static const uint8_t wait = 20;             // seconds that one request waits for a job's result
    static const uint32_t timeout = 30000;      // milliseconds without a byte; more than `wait`
    static const uint8_t tries = 5;             // how often in a row something may fail that can come right
    static const uint8_t rounds = 90;           // how many waits a job gets in one call
    static const uint8_t longest = 30;          // seconds between two tries at most, whatever Retry-After says

    struct Request {
        const char *method, *path;
        const char *below;  // what follows the path, or nullptr
        const char *key;    // of a question that may be answered later, or nullptr
        const char *text;   // the body, or nullptr
        bool wanted;        // whether the body of 200 is the answer
    };

    Client &net;
    const char *host;
    uint16_t port;
    const char *token;
    Print &answer, &trouble;

    // Of the last response.
    int code = 0;
    uint32_t length = 0, retryAfter = 0;
    bool hasLength = false, isFinal = false;  // isFinal: it is what a job ended with
    char place[80] = "";

    uint32_t passed = 0;  // bytes of this answer that have been passed on
    size_t used = 0;      // bytes that wait in the buffer to be sent
    char buffer[512];

    Outcome give(const char *text, const char *key) {
        passed = 0;
        if (key && strlen(key) > 64) return Refused;
        Request request = {"POST", ask_path(), nullptr, key, text, true};
        Outcome outcome = taken(request);
        if (outcome != Done) return outcome;
        char where[sizeof place];
        strcpy(where, place);
        if (code == 202) return strncmp(where, "/v1/jobs/", 9) == 0 ? collect(where) : Wrong;
        if (*where) letGo(where);
        return Done;
    }

    static const char *ask_path() { return "/v1/ask?model=default"; }

    // Hands the text over until somebody takes it.
    Outcome taken(const Request &request) {
        uint8_t failed = 0;
        Outcome outcome;
        do outcome = exchange(request);
        // An answer that was cut is another one the next time, unless it is a job's.
        while ((passed == 0 || request.key) && again(outcome, failed));
        return outcome == Done && code != 200 && code != 202 ? Refused : outcome;
    }

    // Waits for the job's result, passes it on, and lets the job go. A connection that breaks loses nothing: the result
    // is asked for again, and what has been passed on of it is skipped.
    Outcome collect(const char *where) {
        uint8_t failed = 0;
        for (uint8_t round = 0; round < rounds; round++) {
            Outcome outcome = exchange({"GET", where, "/result?wait=", nullptr, nullptr, true});
            if (again(outcome, failed)) continue;
            if (outcome != Done) return outcome;
            if (code == 200) {
                letGo(where);
                return Done;
            }
            if (code != 202) return Refused;
            failed = 0;
            delay(1000);
        }
        return Later;
    }

    // If this gets lost, the gateway lets the job go when its time is over.
    void letGo(const char *where) { exchange({"DELETE", where, nullptr, nullptr, nullptr, false}); }

    // Whether it may be tried again; then it has waited.
    bool again(Outcome &outcome, uint8_t &failed) {
        if (outcome == Done && (code == 503 || code == 429) && !isFinal) outcome = Busy;
        if (outcome == Done || outcome == Wrong || outcome == Refused) return false;
        if (++failed >= tries) return false;
        uint32_t seconds = outcome == Busy && retryAfter > 0 ? retryAfter : 1;
        delay(1000UL * (seconds > longest ? longest : seconds));
        return true;
    }

    Outcome exchange(const Request &request) {
        code = 0;
        if (!net.connect(host, port)) return Unreachable;
        Outcome outcome = send(request) ? readHead() : Unreachable;
        if (outcome == Done) outcome = readBody(request.wanted);
        net.stop();
        return outcome;
    }

    // --- the request: it gathers in the buffer, which goes out whenever it is full ---

    bool send(const Request &request) {
        used = 0;
        put(request.method), put(' '), put(request.path);
        if (request.below) put(request.below), put(uint32_t(wait));
        put(F(" HTTP/1.1\r\nConnection: close\r\nHost: ")), put(host), put(':'), put(uint32_t(port));
        if (token) put(F("\r\nAuthorization: Bearer ")), put(token);
        if (request.key) {
            put(F("\r\nPrefer: respond-async, wait=")), put(uint32_t(wait));
            put(F("\r\nIdempotency-Key: ")), put(request.key);
        }
        if (request.text) putBody(request);
        else put(F("\r\n\r\n"));
        return flushed();
    }

    void putBody(const Request &request) {
        bool plain = request.wanted;
        uint32_t size = 0;
        for (const char *at = request.text; *at; at++) size += plain ? 1 : escaped(*at, false);
        if (!plain) size += strlen_P(jobHead()) + strlen(ask_path()) + strlen_P(jobMiddle()) + 2;
        put(F("\r\nContent-Type: "));
        if (plain) put(F("text/plain; charset=utf-8"));
        else put(F("application/json"));
        put(F("\r\nContent-Length: ")), put(size), put(F("\r\n\r\n"));
        if (plain) return put(request.text);
        putFlash(jobHead()), put(ask_path()), putFlash(jobMiddle());
        for (const char *at = request.text; *at; at++) escaped(*at, true);
        put(F("\"}"));
    }

    static const char *jobHead() { return PSTR("{\"path\":\""); }
    static const char *jobMiddle() { return PSTR("\",\"body\":\""); }

    // How many bytes a byte is in a JSON string; puts them if it shall.
    uint8_t escaped(char byte, bool really) {
        bool control = uint8_t(byte) < 0x20, quoted = byte == '"' || byte == '\\';
        if (really && control) {
            put(F("\\u00")), put(char('0' + (byte >> 4))), put("0123456789abcdef"[byte & 15]);
        } else if (really) {
            if (quoted) put('\\');
            put(byte);
        }
        return control ? 6 : quoted ? 2 : 1;
    }

    void put(char byte) {
        if (used < sizeof buffer || flushed()) buffer[used++] = byte;
    }
    void put(const char *text) {
        while (*text) put(*text++);
    }
    void put(const __FlashStringHelper *text) { putFlash(reinterpret_cast<PGM_P>(text)); }
    void putFlash(PGM_P text) {
        for (char byte; (byte = char(pgm_read_byte(text))) != 0; text++) put(byte);
    }
    void put(uint32_t value) {
        char digits[11], *at = digits + 10;
        *at = 0;
        do *--at = char('0' + value % 10);
        while (value /= 10);
        put(at);
    }

    // What does not get out now is noticed when no answer comes.
    bool flushed() {
        bool all = net.write(reinterpret_cast<uint8_t *>(buffer), used) == used;
        used = 0;
        return all;
    }

    // --- the response ---

    // Waits for a byte; false when there will be none.
    bool comes() {
        uint32_t since = millis();
        while (net.available() <= 0) {
            if (!net.connected() || millis() - since > timeout) return false;
            delay(1);
        }
        return true;
    }

    // The next line of the head, in the buffer; of one that is longer the beginning.
    bool readLine() {
        size_t count = 0;
        for (;;) {
            if (!comes()) return false;
            char byte = char(net.read());
            if (byte == '\n') break;
            if (count < sizeof buffer - 1) buffer[count++] = byte;
        }
        if (count > 0 && buffer[count - 1] == '\r') count--;
        buffer[count] = 0;
        return true;
    }

    Outcome readHead() {
        length = retryAfter = 0;
        hasLength = isFinal = false;
        place[0] = 0;
        if (!readLine()) return Unreachable;
        if (strncmp_P(buffer, PSTR("HTTP/1.1 "), 9) != 0) return Wrong;
        int found = atoi(buffer + 9);
        if (found < 200) return Wrong;
        do {
            if (!readLine()) return Unreachable;
            if (!takeHeader()) return Wrong;
        } while (buffer[0]);
        if (!hasLength && found != 204) return Wrong;
        code = found;
        return Done;
    }

    bool takeHeader() {
        const char *value;
        if ((value = valueOf(PSTR("content-length:"))) != nullptr) {
            hasLength = *value >= '0' && *value <= '9';
            length = strtoul(value, nullptr, 10);
            return hasLength;
        }
        if (valueOf(PSTR("transfer-encoding:"))) return false;
        if ((value = valueOf(PSTR("retry-after:"))) != nullptr) retryAfter = strtoul(value, nullptr, 10);
        if ((value = valueOf(PSTR("x-edgehold-job:"))) != nullptr) isFinal = strncmp_P(value, PSTR("failed"), 6) == 0;
        if ((value = valueOf(PSTR("location:"))) != nullptr) {
            if (strlen(value) >= sizeof place) return false;
            strcpy(place, value);
        }
        return true;
    }

    const char *valueOf(PGM_P name) {
        size_t count = strlen_P(name);
        if (strncasecmp_P(buffer, name, count) != 0) return nullptr;
        const char *value = buffer + count;
        while (*value == ' ') value++;
        return value;
    }

    // Passes an answer on, without what has been passed on already, or the text of an error.
    Outcome readBody(bool wanted) {
        wanted = wanted && code == 200;
        if (wanted && length < passed) return Wrong;
        uint32_t skip = wanted ? passed : 0, at = 0;
        while (at < length) {
            if (!comes()) return Cut;
            uint32_t left = length - at;
            int count = net.read(reinterpret_cast<uint8_t *>(buffer), left < sizeof buffer ? left : sizeof buffer);
            if (count <= 0) continue;
            uint32_t old = at >= skip ? 0 : skip - at < uint32_t(count) ? skip - at : uint32_t(count);
            if (wanted) {
                answer.write(buffer + old, size_t(count - old));
                passed += count - old;
            } else if (code >= 300) {
                trouble.write(buffer, size_t(count));
            }
            at += count;
        }
        return Done;
    }
};
