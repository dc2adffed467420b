/* Stand-in for the part of ESP-IDF's esp_http_client that the example uses, for the tests on a host: this is what ran, and
 * the SDK was not. Names, types, values returned and the order of calls are those that ESP-IDF's reference documents. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "esp_err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct esp_http_client *esp_http_client_handle_t;

typedef enum {
    HTTP_EVENT_ERROR = 0,
    HTTP_EVENT_ON_CONNECTED,
    HTTP_EVENT_HEADERS_SENT,
    HTTP_EVENT_ON_HEADER,
    HTTP_EVENT_ON_DATA,
    HTTP_EVENT_ON_FINISH,
    HTTP_EVENT_DISCONNECTED
} esp_http_client_event_id_t;

typedef struct esp_http_client_event {
    esp_http_client_event_id_t event_id;
    esp_http_client_handle_t client;
    void *data;
    int data_len;
    void *user_data;
    char *header_key;
    char *header_value;
} esp_http_client_event_t;

typedef esp_err_t (*http_event_handle_cb)(esp_http_client_event_t *event);

typedef enum { HTTP_TRANSPORT_UNKNOWN = 0, HTTP_TRANSPORT_OVER_TCP, HTTP_TRANSPORT_OVER_SSL } esp_http_client_transport_t;

typedef enum {
    HTTP_METHOD_GET = 0,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE
} esp_http_client_method_t;

typedef struct {
    const char *host;
    int port;
    const char *path;
    const char *query;
    esp_http_client_method_t method;
    int timeout_ms;
    bool disable_auto_redirect;
    http_event_handle_cb event_handler;
    esp_http_client_transport_t transport_type;
    int buffer_size;
    void *user_data;
} esp_http_client_config_t;

esp_http_client_handle_t esp_http_client_init(const esp_http_client_config_t *config);
/* The value is copied. */
esp_err_t esp_http_client_set_header(esp_http_client_handle_t client, const char *key, const char *value);
/* Connects and sends the head, with a Content-Length of write_len. */
esp_err_t esp_http_client_open(esp_http_client_handle_t client, int write_len);
/* How many bytes were written, or -1. */
int esp_http_client_write(esp_http_client_handle_t client, const char *buffer, int len);
/* The Content-Length, 0 where there is none, or ESP_FAIL. HTTP_EVENT_ON_HEADER comes for each header. */
int64_t esp_http_client_fetch_headers(esp_http_client_handle_t client);
/* How many bytes were read: no more than the body has; 0 when no more come, -1 for an error. */
int esp_http_client_read(esp_http_client_handle_t client, char *buffer, int len);
int esp_http_client_get_status_code(esp_http_client_handle_t client);
esp_err_t esp_http_client_cleanup(esp_http_client_handle_t client);

#ifdef __cplusplus
}
#endif
