/* Stand-in for ESP-IDF's header of this name, for the tests on a host: the SDK was not run. */
#pragma once
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL (-1)
