// Stand-in for ESP-IDF on a Linux host, for the tests: esp_http_client over a POSIX socket, the delay of FreeRTOS, and a
// main() that runs app_main() until the console has ended. Whatever address is called, $EDGEHOLD_ADDRESS (IP:PORT) is
// where this network leads. This ran, and the SDK did not.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "esp_http_client.h"
#include "freertos/task.h"

struct esp_http_client {
    esp_http_client_config_t config = {};
    std::string headers, ahead;  // what has been read beyond the head
    int descriptor = -1, status = 0;
    int64_t left = 0;
};

namespace {

const char *const METHODS[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

bool dial(esp_http_client &client) {
    char text[32] = "";
    int port = 0;
    const char *address = getenv("EDGEHOLD_ADDRESS");
    if (address == nullptr || sscanf(address, "%31[0-9.]:%d", text, &port) != 2) return false;
    sockaddr_in there = {};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, text, &there.sin_addr);
    client.descriptor = socket(AF_INET, SOCK_STREAM, 0);
    const timeval patience = {client.config.timeout_ms / 1000, client.config.timeout_ms % 1000 * 1000};
    setsockopt(client.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client.descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return connect(client.descriptor, reinterpret_cast<sockaddr *>(&there), sizeof there) == 0;
}

bool send_all(int descriptor, const char *bytes, size_t count) {
    while (count > 0) {
        const ssize_t sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes += sent;
        count -= static_cast<size_t>(sent);
    }
    return true;
}

// A line without its end; false when the connection ended before.
bool read_line(esp_http_client &client, std::string &line) {
    size_t end;
    while ((end = client.ahead.find('\n')) == std::string::npos) {
        char piece[256];
        const ssize_t got = recv(client.descriptor, piece, sizeof piece, 0);
        if (got <= 0) return false;
        client.ahead.append(piece, static_cast<size_t>(got));
    }
    line = client.ahead.substr(0, end);
    client.ahead.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return true;
}

void tell(esp_http_client &client, std::string &line) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) return;
    std::string name = line.substr(0, colon);
    std::string value = line.substr(line.find_first_not_of(' ', colon + 1));
    if (strcasecmp(name.c_str(), "Content-Length") == 0) client.left = atoll(value.c_str());
    esp_http_client_event_t event = {};
    event.event_id = HTTP_EVENT_ON_HEADER;
    event.client = &client;
    event.user_data = client.config.user_data;
    event.header_key = name.data();
    event.header_value = value.data();
    if (client.config.event_handler != nullptr) client.config.event_handler(&event);
}

}  // namespace

extern "C" {

esp_http_client_handle_t esp_http_client_init(const esp_http_client_config_t *config) {
    auto *client = new esp_http_client;
    client->config = *config;
    return client;
}

esp_err_t esp_http_client_set_header(esp_http_client_handle_t client, const char *key, const char *value) {
    client->headers += std::string(key) + ": " + value + "\r\n";
    return ESP_OK;
}

esp_err_t esp_http_client_open(esp_http_client_handle_t client, int write_len) {
    if (!dial(*client)) return ESP_FAIL;
    const esp_http_client_config_t &config = client->config;
    std::string head = std::string(METHODS[config.method]) + " " + config.path;
    if (config.query != nullptr) head += std::string("?") + config.query;
    head += " HTTP/1.1\r\nUser-Agent: ESP32 HTTP Client/1.0\r\nHost: " + std::string(config.host) + ":" +
            std::to_string(config.port) + "\r\n" + client->headers + "Content-Length: " + std::to_string(write_len) +
            "\r\n\r\n";
    return send_all(client->descriptor, head.data(), head.size()) ? ESP_OK : ESP_FAIL;
}

int esp_http_client_write(esp_http_client_handle_t client, const char *buffer, int len) {
    return send_all(client->descriptor, buffer, static_cast<size_t>(len)) ? len : -1;
}

int64_t esp_http_client_fetch_headers(esp_http_client_handle_t client) {
    std::string line;
    int minor = 0;
    if (!read_line(*client, line)) return ESP_FAIL;
    if (sscanf(line.c_str(), "HTTP/1.%d %d", &minor, &client->status) != 2) return ESP_FAIL;
    do {
        if (!read_line(*client, line)) return ESP_FAIL;
        tell(*client, line);
    } while (!line.empty());
    return client->left;
}

// As the SDK's, it goes on until the buffer is full or the body has ended.
int esp_http_client_read(esp_http_client_handle_t client, char *buffer, int len) {
    const size_t most = static_cast<size_t>(client->left < len ? client->left : len);
    size_t count = client->ahead.copy(buffer, most);
    client->ahead.erase(0, count);
    while (count < most) {
        const ssize_t got = recv(client->descriptor, buffer + count, most - count, 0);
        if (got < 0 && count == 0) return -1;
        if (got <= 0) break;
        count += static_cast<size_t>(got);
    }
    client->left -= static_cast<int64_t>(count);
    return static_cast<int>(count);
}

int esp_http_client_get_status_code(esp_http_client_handle_t client) { return client->status; }

esp_err_t esp_http_client_cleanup(esp_http_client_handle_t client) {
    if (client->descriptor >= 0) close(client->descriptor);
    delete client;
    return ESP_OK;
}

void vTaskDelay(TickType_t ticks) {
    if (feof(stdin)) exit(0);  // on a board the console never ends, and neither does app_main()
    usleep(ticks * (1000000 / configTICK_RATE_HZ));
}

void app_main(void);
}

int main() { app_main(); }
