// Asks edgehold from the console of an ESP32. Type a line:
//
//   ask TEXT          a question now
//   later KEY TEXT    a question that may be answered later; the same key is the same question
//   job ID TEXT       the same as a job with an id of your own
//
// The network has to be up: put your own Wi-Fi or Ethernet start before the loop, or ESP-IDF's example_connect().
#include <cstdio>
#include <cstring>

#include "edgehold.hpp"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#ifndef EDGEHOLD_HOST
#define EDGEHOLD_HOST "192.168.4.1"  // an address of the gateway, or a name of `hosts` in its [server]
#define EDGEHOLD_PORT 11435
#define EDGEHOLD_TOKEN nullptr       // of [[clients]]; a gateway on a network wants one
#endif

static constexpr char TAG[] = "console";

static void to_console(const char *bytes, size_t count) {
    fwrite(bytes, 1, count, stdout);
    fflush(stdout);
}

// The next word of the line, which it ends, and what follows it.
static char *cut(char *text) {
    char *space = strchr(text, ' ');
    if (space == nullptr) return text + strlen(text);
    *space = 0;
    return space + 1;
}

static Edgehold::Outcome obey(Edgehold &gateway, char *verb) {
    char *first = cut(verb);
    if (strcmp(verb, "ask") == 0) return gateway.ask(first);
    char *text = cut(first);
    if (strcmp(verb, "later") == 0) return gateway.ask_later(first, text);
    if (strcmp(verb, "job") == 0) return gateway.job(first, text);
    return Edgehold::Outcome::refused;
}

extern "C" void app_main(void) {
    static Edgehold gateway(EDGEHOLD_HOST, EDGEHOLD_PORT, EDGEHOLD_TOKEN, to_console);
    static char line[256];
    size_t filled = 0;
    for (;;) {
        const int byte = getchar();
        if (byte == EOF) {
            vTaskDelay(1);  // nothing has been typed
            continue;
        }
        if (byte != '\n') {
            if (byte != '\r' && filled < sizeof line - 1) line[filled++] = static_cast<char>(byte);
            continue;
        }
        line[filled] = 0;
        filled = 0;
        const Edgehold::Outcome outcome = obey(gateway, line);
        if (outcome == Edgehold::Outcome::done) ESP_LOGI(TAG, "ok");
        else ESP_LOGE(TAG, "failed: %s %d", Edgehold::word(outcome), gateway.status());
    }
}
