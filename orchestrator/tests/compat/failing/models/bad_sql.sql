select no_such
from {{ ref('good') }}
