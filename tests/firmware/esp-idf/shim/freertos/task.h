/* Stand-in for FreeRTOS's header of this name, for the tests on a host. */
#pragma once
#include "freertos/FreeRTOS.h"
#ifdef __cplusplus
extern "C"
#endif
void vTaskDelay(TickType_t ticks);
