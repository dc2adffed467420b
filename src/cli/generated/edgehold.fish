# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_edgehold_global_optspecs
    string join \n h/help V/version
end

function __fish_edgehold_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_edgehold_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_edgehold_using_subcommand
    set -l cmd (__fish_edgehold_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c edgehold -n "__fish_edgehold_needs_command" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_needs_command" -s V -l version -d 'Print version'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "serve" -d 'Serve until a signal ends it (SIGHUP reloads the configuration)'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "check" -d 'Check the configuration and print it with all defaults, secrets masked'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "status" -d 'Show how the running service stands'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "explain" -d 'Show which target would answer for a model now, and why the others would not'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "jobs" -d 'Look after the jobs of the queue'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "summarize" -d 'Summarise documents, by the running service or without one'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "man" -d 'Print the manual page, in roff'
complete -c edgehold -n "__fish_edgehold_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c edgehold -n "__fish_edgehold_using_subcommand serve" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand serve" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand check" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand check" -l probe -d 'Ask each provider whether it is there, at no cost'
complete -c edgehold -n "__fish_edgehold_using_subcommand check" -l hold-back -d 'In a unit\'s `ExecStartPre=`: wait first, the longer the more starts in a row have failed (counted in `$RUNTIME_DIRECTORY`)'
complete -c edgehold -n "__fish_edgehold_using_subcommand check" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand status" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand status" -l json -d 'Print the JSON as it comes'
complete -c edgehold -n "__fish_edgehold_using_subcommand status" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand explain" -l locality -d 'As the request header X-Edgehold-Locality' -r -f -a "any\t''
cloud\t''
local\t''"
complete -c edgehold -n "__fish_edgehold_using_subcommand explain" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand explain" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "list" -d 'List the jobs of all clients, in the order in which they were accepted'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "show" -d 'Show how a job stands'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "result" -d 'Print a job\'s answer as the client would get it'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "cancel" -d 'Take a job back that has not ended, or let one go that has'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "retry" -d 'Try a job again that failed, expired or was cancelled'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "export" -d 'Print every job with its request and answer, each as a line of JSON'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and not __fish_seen_subcommand_from list show result cancel retry export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from list" -l state -d 'Only those in this state: queued, running, succeeded, failed, expired, cancelled, corrupt' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from list" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from list" -l json -d 'Print each as a line of JSON'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from show" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from result" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from result" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from retry" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from export" -l database -d 'A database that no running service uses, in place of the configured one' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from export" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the jobs of all clients, in the order in which they were accepted'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show how a job stands'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "result" -d 'Print a job\'s answer as the client would get it'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Take a job back that has not ended, or let one go that has'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Try a job again that failed, expired or was cancelled'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print every job with its request and answer, each as a line of JSON'
complete -c edgehold -n "__fish_edgehold_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l model -d 'An alias, PROVIDER/MODEL, or builtin/extractive for sentences of the document itself' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l length -d 'short, medium, long, or words=N' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l style -d 'paragraph, bullets or headline' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l language -d 'The summary\'s language; else the document\'s' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l focus -d 'A question or a topic that it is to be about' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l type -d 'The documents\' media type, where their names and bytes do not tell it' -r
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l config -d 'Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in default (the Ollama on this device)' -r -F
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l local-only -d 'Never leave the device and its LAN'
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -l json -d 'Print all that is known of each summary, as a line of JSON'
complete -c edgehold -n "__fish_edgehold_using_subcommand summarize" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand completions" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand man" -s h -l help -d 'Print help'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "serve" -d 'Serve until a signal ends it (SIGHUP reloads the configuration)'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "check" -d 'Check the configuration and print it with all defaults, secrets masked'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "status" -d 'Show how the running service stands'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "explain" -d 'Show which target would answer for a model now, and why the others would not'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "jobs" -d 'Look after the jobs of the queue'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "summarize" -d 'Summarise documents, by the running service or without one'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "man" -d 'Print the manual page, in roff'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and not __fish_seen_subcommand_from serve check status explain jobs summarize completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "list" -d 'List the jobs of all clients, in the order in which they were accepted'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "show" -d 'Show how a job stands'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "result" -d 'Print a job\'s answer as the client would get it'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "cancel" -d 'Take a job back that has not ended, or let one go that has'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "retry" -d 'Try a job again that failed, expired or was cancelled'
complete -c edgehold -n "__fish_edgehold_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "export" -d 'Print every job with its request and answer, each as a line of JSON'
