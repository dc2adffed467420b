/* Stand-in for the header of ESP-IDF of this name, for the tests on a host: the SDK was not run. */
#pragma once
#include <stdio.h>
#define ESP_LOG_LINE(level, tag, format, ...) fprintf(stderr, level " (%s) " format "\n", tag, ##__VA_ARGS__)
#define ESP_LOGE(tag, format, ...) ESP_LOG_LINE("E", tag, format, ##__VA_ARGS__)
#define ESP_LOGW(tag, format, ...) ESP_LOG_LINE("W", tag, format, ##__VA_ARGS__)
#define ESP_LOGI(tag, format, ...) ESP_LOG_LINE("I", tag, format, ##__VA_ARGS__)
