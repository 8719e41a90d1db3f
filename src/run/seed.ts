/** Which seeds there are; it stands apart from the run's config, as the command's help, too, tells it. */

/** The generators take 32 bits; a larger seed would be another one's twin. */
export const LARGEST_SEED = 2 ** 31 - 1;
