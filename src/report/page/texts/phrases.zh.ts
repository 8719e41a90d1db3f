/** Chinese for what claims bring along in English: measures, units, criteria, names of lines and axes, remarks. */
