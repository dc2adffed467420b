// Stands for the Ethernet library, which Debian does not carry, so that the sketch's size without a driver can be told:
// compiled for the chip, never run. For the tests only.
#pragma once
#include <Arduino.h>
#include <Client.h>

struct EthernetCable {
    int begin(uint8_t *) { return 1; }
};
static EthernetCable Ethernet;

class EthernetClient : public Client {
public:
    int connect(IPAddress, uint16_t) override { return 0; }
    int connect(const char *, uint16_t) override { return volatileByte; }
    size_t write(uint8_t) override { return 1; }
    size_t write(const uint8_t *, size_t count) override { return count; }
    int available() override { return volatileByte; }
    int read() override { return volatileByte; }
    int read(uint8_t *bytes, size_t) override { return bytes[0] = uint8_t(volatileByte); }
    int peek() override { return volatileByte; }
    void flush() override {}
    void stop() override {}
    uint8_t connected() override { return uint8_t(volatileByte); }
    operator bool() override { return true; }
    using Print::write;

private:
    volatile int volatileByte = 1;  // so that nothing of the sketch is known to be unused
};
