//! Names of the methods of Python's types, for what is asked for a method without calling it: `'abc'.upper`, `{}.items`.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, State, UndefinedBehavior};

use crate::functions::method;
use crate::list::Dict;
use crate::modules;
use crate::set::Set;

const TEXT: &str = "capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill";
const LIST: &str = "append clear copy count extend index insert pop remove reverse sort";
const TUPLE: &str = "count index";
const DICT: &str = "clear copy fromkeys get items keys pop popitem setdefault update values";
const SET: &str = "add clear copy difference difference_update discard intersection intersection_update isdisjoint issubset issuperset pop remove symmetric_difference symmetric_difference_update union update";
const NUMBER: &str =
    "as_integer_ratio bit_count bit_length conjugate from_bytes fromhex hex is_integer to_bytes";
const BYTES: &str = "capitalize center count decode endswith expandtabs find fromhex hex index isalnum isalpha isascii isdigit islower isspace istitle isupper join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill";
const TIME: &str = "astimezone combine ctime date dst fromisocalendar fromisoformat fromordinal fromtimestamp isocalendar isoformat isoweekday now replace strftime strptime time timestamp timetuple timetz today toordinal total_seconds tzname utcfromtimestamp utcnow utcoffset utctimetuple weekday";
const DECIMAL: &str = "adjusted as_integer_ratio as_tuple canonical compare compare_signal compare_total compare_total_mag conjugate copy_abs copy_negate copy_sign exp fma from_float is_canonical is_finite is_infinite is_nan is_normal is_qnan is_signed is_snan is_subnormal is_zero ln log10 logb logical_and logical_invert logical_or logical_xor max max_mag min min_mag next_minus next_plus next_toward normalize number_class quantize radix remainder_near rotate same_quantum scaleb shift sqrt to_eng_string to_integral to_integral_exact to_integral_value";

fn has(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

/// Whether some type has a method `name`.
pub(crate) fn is_method(name: &str) -> bool {
    let all = [TEXT, LIST, TUPLE, DICT, SET, NUMBER, BYTES, TIME, DECIMAL];
    all.iter().any(|names| has(names, name))
}

/// The methods of what `value` is; those of mappings of the host come behind their keys.
fn methods_of(value: &Value) -> Option<&'static str> {
    Some(match value.kind() {
        ValueKind::String => TEXT,
        ValueKind::Bytes => BYTES,
        ValueKind::Number | ValueKind::Bool => NUMBER,
        ValueKind::Seq if value.is_tuple() => TUPLE,
        ValueKind::Seq => LIST,
        ValueKind::Map => DICT,
        _ if value.downcast_object_ref::<Set>().is_some() => SET,
        _ if crate::decimal::is_decimal(value) => DECIMAL,
        _ => modules::datetime_type(value).map(|_| TIME)?,
    })
}

/// `value.name`, where some type has a method of that name: as in Python, a dict's own come before its keys.
pub(crate) fn member(state: &State<'_, '_>, value: &Value, name: &str) -> Result<Value, Error> {
    let known = methods_of(value).is_some_and(|names| has(names, name));
    if known && value.downcast_object_ref::<Dict>().is_some() {
        return Ok(method(value.clone(), name));
    }
    if value.is_undefined() && state.undefined_behavior() == UndefinedBehavior::Chainable {
        return Ok(value.clone());
    }
    let found = value.get_attr(name)?;
    Ok(match found.is_undefined() && known {
        true => method(value.clone(), name),
        false => found,
    })
}

/// The filter `attr`: a member, never what stands in a dict.
pub(crate) fn attribute(state: &State<'_, '_>, value: &Value, name: &str) -> Result<Value, Error> {
    let is_dict = value.downcast_object_ref::<Dict>().is_some();
    match is_dict && !has(DICT, name) {
        true => Ok(Value::UNDEFINED),
        false => member(state, value, name),
    }
}
