/* Names for containers that were given none: an adjective and the surname of somebody who moved a science. */
#include "base/alloc.h"
#include "base/id.h"
#include "store/store_internal.h"

static const char *const adjectives[] = {
    "able",    "agile",    "airy",     "amber",   "brave",   "bright",  "brisk",    "calm",
    "candid",  "careful",  "cheery",   "civil",   "clear",   "clever",  "cosy",     "crisp",
    "curious", "daring",   "deft",     "eager",   "earnest", "easy",    "even",     "fair",
    "fleet",   "fond",     "frank",    "fresh",   "gentle",  "glad",    "golden",   "grand",
    "handy",   "hardy",    "honest",   "humble",  "jolly",   "keen",    "kind",     "lively",
    "loyal",   "lucid",    "lucky",    "mellow",  "merry",   "mild",    "modest",   "neat",
    "nimble",  "noble",    "patient",  "placid",  "plucky",  "polite",  "proud",    "quick",
    "quiet",   "ready",    "robust",   "rosy",    "serene",  "sharp",   "silver",   "smooth",
    "snappy",  "sober",    "solid",    "spry",    "steady",  "sturdy",  "subtle",   "sunny",
    "swift",   "tender",   "tidy",     "upbeat",  "vivid",   "warm",    "wise",     "witty",
};

static const char *const surnames[] = {
    "abel",      "ada",       "airy",      "ampere",   "anning",   "arago",    "aryabhata",
    "babbage",   "banach",    "bardeen",   "bassi",    "bell",     "bernoulli", "bessel",
    "bohr",      "boole",     "born",      "bose",     "boyle",    "brahe",    "cantor",
    "carnot",    "carson",    "cauchy",    "cayley",   "celsius",  "chandra",  "church",
    "clarke",    "codd",      "copernicus", "coulomb", "crick",    "curie",    "dalton",
    "darwin",    "davy",      "descartes", "dijkstra", "dirac",    "doppler",  "einstein",
    "erdos",     "euclid",    "euler",     "faraday",  "fermat",   "fermi",    "feynman",
    "fourier",   "franklin",  "fresnel",   "galileo",  "galois",   "gauss",    "germain",
    "gibbs",     "godel",     "goodall",   "hadamard", "halley",   "hamilton", "hamming",
    "heaviside", "hertz",     "hilbert",   "hodgkin",  "hooke",    "hopper",   "hubble",
    "humboldt",  "huygens",   "hypatia",   "jacobi",   "jordan",   "joule",    "kelvin",
    "kepler",    "khayyam",   "klein",     "knuth",    "kovalevskaya", "lagrange", "lamarr",
    "laplace",   "lavoisier", "legendre",  "leibniz",  "linnaeus", "lorentz",  "lovelace",
    "mach",      "markov",    "maxwell",   "meitner",  "mendel",   "mersenne", "mirzakhani",
    "napier",    "newton",    "noether",   "ohm",      "oort",     "pascal",   "pasteur",
    "pauli",     "peano",     "planck",    "poincare", "ramanujan", "raman",   "ritchie",
    "rutherford", "sagan",    "shannon",   "snell",    "stokes",   "tesla",    "turing",
    "volta",     "watt",      "weyl",      "wiles",    "wu",
};

char *skl_store_pick_name(struct skl_store *s)
{
    for (unsigned tries = 0;; tries++) {
        uint32_t dice[3];
        struct skl_buf b;

        skl_random(dice, sizeof(dice));
        skl_buf_init(&b, 128);
        skl_buf_addf(&b, "%s_%s", adjectives[dice[0] % SKL_ARRAY_LEN(adjectives)],
                     surnames[dice[1] % SKL_ARRAY_LEN(surnames)]);
        if (tries > 3)
            skl_buf_addf(&b, "%u", dice[2] % (10u << (tries < 20 ? tries : 20)));
        if (!skl_container_by_name(s, b.p))
            return skl_buf_detach(&b);
        skl_buf_fini(&b);
    }
}
