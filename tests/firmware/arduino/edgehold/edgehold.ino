// Asks edgehold from the serial console. Type a line:
//
//   ask TEXT          a question now
//   later KEY TEXT    a question that may be answered later; the same key is the same question
//   job ID TEXT       the same as a job with an id of your own
//
// Copy Edgehold.h into your sketch. A board with an ESP32, an ESP8266 or a WiFi module takes WiFi, an AVR Ethernet.
#if defined(__AVR__)
#include <Ethernet.h>
static EthernetClient network;
#else
#include <WiFi.h>
static WiFiClient network;
#endif
#include "Edgehold.h"

#ifndef EDGEHOLD_HOST
#define EDGEHOLD_HOST "192.168.4.1"  // an address of the gateway, or a name of `hosts` in its [server]
#define EDGEHOLD_PORT 11435
#define EDGEHOLD_TOKEN nullptr       // of [[clients]]; a gateway on a network wants one
#endif
#ifndef EDGEHOLD_LOG
#define EDGEHOLD_LOG Serial          // where it says how it went
#endif
#define WIFI_NAME "your network"
#define WIFI_SECRET "its passphrase"

static Edgehold gateway(network, EDGEHOLD_HOST, EDGEHOLD_PORT, EDGEHOLD_TOKEN, Serial, EDGEHOLD_LOG);
static char line[256];
static size_t filled = 0;

// The next word of the line, which it ends, and what follows it.
static char *cut(char *text) {
    char *space = strchr(text, ' ');
    if (!space) return text + strlen(text);
    *space = 0;
    return space + 1;
}

static void obey(char *verb) {
    char *first = cut(verb);
    Edgehold::Outcome outcome = Edgehold::Refused;
    if (strcmp(verb, "ask") == 0) {
        outcome = gateway.ask(first);
    } else if (strcmp(verb, "later") == 0) {
        char *text = cut(first);
        outcome = gateway.askLater(first, text);
    } else if (strcmp(verb, "job") == 0) {
        char *text = cut(first);
        outcome = gateway.job(first, text);
    }
    if (outcome == Edgehold::Done) {
        EDGEHOLD_LOG.println(F("ok"));
        return;
    }
    EDGEHOLD_LOG.print(F("failed: "));
    EDGEHOLD_LOG.print(Edgehold::word(outcome));
    EDGEHOLD_LOG.print(' ');
    EDGEHOLD_LOG.println(gateway.status());
}

void setup() {
    Serial.begin(115200);
#if defined(__AVR__)
    static uint8_t address[6] = {0x02, 0x00, 0x00, 0xed, 0x6e, 0x01};
    while (Ethernet.begin(address) == 0) delay(1000);
#else
    WiFi.begin(WIFI_NAME, WIFI_SECRET);
    while (WiFi.status() != WL_CONNECTED) delay(100);
#endif
}

void loop() {
    while (Serial.available() > 0) {
        char byte = char(Serial.read());
        if (byte != '\n') {
            if (byte != '\r' && filled < sizeof line - 1) line[filled++] = byte;
            continue;
        }
        line[filled] = 0;
        filled = 0;
        obey(line);
    }
}
