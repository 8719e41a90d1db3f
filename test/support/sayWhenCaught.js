/** Loaded into a process before its program (node --import): says on stderr when Ctrl-C is caught. */
process.on('newListener', (name) => {
  if (name === 'SIGINT') process.stderr.write('caught\n');
});
