// What expressions may call: functions that give the same answer for the same arguments and touch nothing else.

const names = (text: string): Set<string> => new Set(text.trim().split(/\s+/));

/**
 * Not here on purpose: what reads files or settings, what looks at other tables, what knows the time or throws dice (a recipe must
 * replay), what makes long values out of a number (range, format, printf, bar, bitstring, list_resize), what takes a lambda, `error`.
 */
export const scalarFunctions = names(`
  + - * / // % ** ^ & | << >> ~ ! @ || ~~ !~~ ~~* !~~* ~~~ ~ !~ ^@ ->> <=> && @> <@
  add subtract multiply divide mod abs sign ceil ceiling floor round round_even trunc sqrt cbrt exp ln log log2 log10 pow power
  pi sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh cot degrees radians greatest least gcd lcm even
  greatest_common_divisor least_common_multiple isnan isinf isfinite signbit nextafter gamma lgamma xor bit_count
  lower upper lcase ucase trim ltrim rtrim length len strlen char_length character_length length_grapheme bit_length octet_length
  substring substr substring_grapheme left right left_grapheme right_grapheme concat concat_ws replace translate reverse repeat
  lpad rpad instr position strpos contains prefix suffix starts_with ends_with split split_part string_split str_split
  string_to_array string_split_regex str_split_regex regexp_matches regexp_full_match regexp_replace regexp_extract
  regexp_extract_all regexp_split_to_array regexp_escape like_escape not_like_escape ilike_escape not_ilike_escape ascii ord unicode
  chr strip_accents nfc_normalize levenshtein editdist3 damerau_levenshtein hamming mismatches jaccard jaro_similarity
  jaro_winkler_similarity md5 sha1 sha256 hash hex to_hex unhex from_hex base64 to_base64 from_base64 bin to_binary url_encode
  url_decode parse_filename parse_path parse_dirname parse_dirpath
  year month day hour minute second millisecond microsecond quarter week weekofyear weekday dayofweek isodow isoyear dayofmonth
  dayofyear decade century millennium era epoch epoch_ms epoch_us epoch_ns yearweek dayname monthname last_day date_part datepart
  date_trunc datetrunc date_diff datediff date_sub datesub date_add age make_date make_time make_timestamp make_timestamp_ms
  strftime strptime try_strptime time_bucket timezone to_timestamp to_seconds to_minutes to_hours to_days to_weeks to_months
  to_quarters to_years to_milliseconds to_microseconds julian
  if ifnull nvl coalesce nullif
  list_value array_value list_extract list_element array_extract list_contains list_has array_contains array_has list_position
  list_indexof array_position array_indexof array_length list_length list_sort array_sort list_reverse_sort list_distinct list_unique
  list_slice array_slice list_sum list_avg list_min list_max list_first list_last list_has_any list_has_all list_intersect
  array_to_string list_dot_product list_cosine_similarity list_cosine_distance list_distance list_inner_product
  array_cosine_similarity array_cosine_distance array_distance array_inner_product array_dot_product
  struct_pack struct_extract row map_extract map_keys map_values element_at cardinality
  json_extract json_extract_string json_extract_path json_extract_path_text json_array_length json_keys json_type json_valid
  json_exists json_contains json_value typeof
`);

export const aggregateFunctions = names(`
  count count_star count_if countif sum avg mean min max median mode stddev stddev_samp stddev_pop variance var_samp var_pop
  quantile_cont quantile_disc approx_count_distinct bool_and bool_or bit_and bit_or bit_xor product skewness kurtosis corr
  covar_pop covar_samp regr_slope regr_intercept regr_r2 entropy mad geomean fsum favg kahan_sum arg_min arg_max min_by max_by
`);
