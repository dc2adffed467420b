// A network of a board on a Linux host: WiFiClient is the core's Client over a socket. For the tests only.
#pragma once
#include <Arduino.h>
#include <Client.h>

enum { WL_CONNECTED = 3 };

struct Radio {
    void begin(const char *, const char *) {}
    int status() { return WL_CONNECTED; }
};
extern Radio WiFi;

class WiFiClient : public Client {
public:
    int connect(IPAddress ip, uint16_t port) override;
    int connect(const char *host, uint16_t port) override;
    size_t write(uint8_t byte) override { return write(&byte, 1); }
    size_t write(const uint8_t *bytes, size_t count) override;
    int available() override;
    int read() override;
    int read(uint8_t *bytes, size_t count) override;
    int peek() override;
    void flush() override {}
    void stop() override;
    uint8_t connected() override;
    operator bool() override { return descriptor >= 0; }
    using Print::write;

private:
    int descriptor = -1;
};
