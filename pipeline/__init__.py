"""The order of work: settings, graph, runner, store, command line."""
