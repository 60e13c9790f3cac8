"""Orders the work: settings, graph, runner, store, command line, report."""
