/* Names for containers that got none: adjective_surname, from our own lists. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/id.h"
#include "store/store_internal.h"

static const char *const adjectives[] = {
    "able",    "agile",    "alert",    "amber",  "apt",       "artful",  "astute",  "aware",
    "balmy",   "bold",     "brave",    "breezy", "bright",    "brisk",   "calm",    "candid",
    "careful", "cheery",   "clear",    "clever", "cosy",      "crisp",   "curious", "daring",
    "deft",    "diligent", "dreamy",   "eager",  "earnest",   "easy",    "epic",    "exact",
    "fair",    "fearless", "fleet",    "fluent", "fond",      "frank",   "fresh",   "gallant",
    "gentle",  "glad",     "graceful", "grand",  "hardy",     "hearty",  "humble",  "jolly",
    "joyful",  "keen",     "kind",     "lively", "loyal",     "lucid",   "mellow",  "merry",
    "mindful", "modest",   "neat",     "nimble", "noble",     "patient", "placid",  "plucky",
    "polite",  "prime",    "prudent",  "quick",  "quiet",     "radiant", "ready",   "serene",
    "sharp",   "sincere",  "smooth",   "snappy", "steady",    "sunny",   "tidy",    "tranquil",
    "upbeat",  "valiant",  "vivid",    "warm",   "whimsical", "wise",    "witty",   "zesty",
};

static const char *const surnames[] = {
    "abel",       "airy",      "ampere",     "apgar",        "archimedes",   "arrhenius",
    "avogadro",   "babbage",   "backus",     "baird",        "banach",       "bardeen",
    "becquerel",  "bell",      "bernoulli",  "bessel",       "bohr",         "boltzmann",
    "boole",      "bose",      "boyle",      "brahe",        "braun",        "brunel",
    "cantor",     "carnot",    "carson",     "cauchy",       "cavendish",    "celsius",
    "chandra",    "chebyshev", "church",     "clarke",       "copernicus",   "coulomb",
    "crick",      "curie",     "dalton",     "darwin",       "davy",         "descartes",
    "diesel",     "dijkstra",  "dirac",      "doppler",      "eckert",       "edison",
    "ehrlich",    "einstein",  "elion",      "eratosthenes", "erdos",        "euclid",
    "euler",      "faraday",   "fermat",     "fermi",        "feynman",      "fibonacci",
    "fizeau",     "fleming",   "foucault",   "fourier",      "franklin",     "fresnel",
    "galileo",    "galois",    "galvani",    "gauss",        "germain",      "goedel",
    "goodall",    "hadamard",  "halley",     "hamilton",     "hamming",      "heisenberg",
    "helmholtz",  "hertz",     "herschel",   "hilbert",      "hooke",        "hopper",
    "hubble",     "hypatia",   "jacquard",   "johnson",      "joule",        "kelvin",
    "kepler",     "kirchhoff", "knuth",      "koch",         "kovalevskaya", "lagrange",
    "lamarr",     "laplace",   "lavoisier",  "leavitt",      "leibniz",      "linnaeus",
    "lovelace",   "marconi",   "maxwell",    "mccarthy",     "meitner",      "mendel",
    "mendeleev",  "mitchell",  "morse",      "naur",         "neumann",      "newton",
    "nobel",      "noether",   "ohm",        "pascal",       "pasteur",      "pauli",
    "payne",      "planck",    "poincare",   "ptolemy",      "raman",        "ritchie",
    "rutherford", "shannon",   "somerville", "stephenson",   "tesla",        "turing",
    "volta",      "watt",      "wirth",      "wu",
};

char *skl_store_pick_name(struct skl_store *s)
{
    struct skl_buf b;

    skl_buf_init(&b, 128);
    for (unsigned attempt = 0;; attempt++) {
        uint32_t dice[3];

        skl_random(dice, sizeof(dice));
        skl_buf_reset(&b);
        skl_buf_addf(&b, "%s_%s", adjectives[dice[0] % SKL_ARRAY_LEN(adjectives)],
                     surnames[dice[1] % SKL_ARRAY_LEN(surnames)]);
        /* Most names are taken: digits, and after a while more of them. */
        if (attempt >= 5)
            skl_buf_addf(&b, "%u", dice[2] % (attempt < 20 ? 10u : 1000000u));
        if (!skl_container_by_name(s, b.p))
            return skl_buf_detach(&b);
    }
}
