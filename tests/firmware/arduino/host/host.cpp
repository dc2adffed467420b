// The board of Arduino.h and the network of WiFi.h. Whatever address a sketch calls, $EDGEHOLD_ADDRESS (IP:PORT) is where
// this network leads. It runs the sketch until its serial input has ended. For the tests only.
#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#undef INADDR_NONE  // the core has a constant of that name
#include <WiFi.h>

HardwareSerial Serial(0, 1), Serial1(-1, 2);
Radio WiFi;

unsigned long millis() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<unsigned long>(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

void delay(unsigned long milliseconds) { usleep(static_cast<useconds_t>(milliseconds * 1000)); }

int HardwareSerial::peek() {
    unsigned char byte;
    if (next < 0 && in >= 0 && !hasEnded) {
        if (::read(in, &byte, 1) == 1) next = byte;
        else hasEnded = true;
    }
    return next;
}
int HardwareSerial::available() { return peek() >= 0 ? 1 : 0; }
int HardwareSerial::read() {
    int byte = peek();
    next = -1;
    return byte;
}
size_t HardwareSerial::write(const uint8_t *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t sent = ::write(out, bytes + done, count - done);
        if (sent <= 0) break;
        done += static_cast<size_t>(sent);
    }
    return done;
}

int WiFiClient::connect(const char *, uint16_t) {
    char text[32] = "";
    int port = 0;
    const char *address = getenv("EDGEHOLD_ADDRESS");
    if (!address || sscanf(address, "%31[0-9.]:%d", text, &port) != 2) return 0;
    stop();
    sockaddr_in there = {};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, text, &there.sin_addr);
    descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(descriptor, reinterpret_cast<sockaddr *>(&there), sizeof there) == 0) return 1;
    stop();
    return 0;
}
int WiFiClient::connect(IPAddress, uint16_t port) { return connect("", port); }
size_t WiFiClient::write(const uint8_t *bytes, size_t count) {
    ssize_t sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
}
int WiFiClient::available() {
    int count = 0;
    return descriptor >= 0 && ioctl(descriptor, FIONREAD, &count) == 0 ? count : 0;
}
int WiFiClient::read(uint8_t *bytes, size_t count) {
    return static_cast<int>(recv(descriptor, bytes, count, MSG_DONTWAIT));
}
int WiFiClient::read() {
    uint8_t byte;
    return read(&byte, 1) == 1 ? byte : -1;
}
int WiFiClient::peek() {
    uint8_t byte;
    return recv(descriptor, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1 ? byte : -1;
}
void WiFiClient::stop() {
    if (descriptor >= 0) close(descriptor);
    descriptor = -1;
}
uint8_t WiFiClient::connected() {
    uint8_t byte;
    if (descriptor < 0) return 0;
    ssize_t count = recv(descriptor, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

int main() {
    setup();
    while (!Serial.ended()) loop();
    return 0;
}
