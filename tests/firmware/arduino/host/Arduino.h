// What the Arduino core's own Print, Stream, Client and IPAddress (Debian's arduino-core-avr) need of a board, on a Linux
// host: those classes are the real ones, and the board under them is this. For the tests only.
#ifndef Arduino_h
#define Arduino_h
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <avr/pgmspace.h>

typedef bool boolean;
typedef uint8_t byte;

#include "WString.h"
#include "Print.h"
#include "Stream.h"

unsigned long millis();
void delay(unsigned long milliseconds);
void setup();
void loop();

// A serial line: what is typed comes from standard input, where the descriptor is one.
class HardwareSerial : public Stream {
public:
    HardwareSerial(int in, int out) : in(in), out(out) {}
    void begin(unsigned long) {}
    int available() override;
    int read() override;
    int peek() override;
    void flush() override {}
    size_t write(uint8_t byte) override { return write(&byte, 1); }
    size_t write(const uint8_t *bytes, size_t count) override;
    using Print::write;
    bool ended() const { return hasEnded; }

private:
    int in, out, next = -1;
    bool hasEnded = false;
};

extern HardwareSerial Serial, Serial1;
#endif
